import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uniqueName } from '../endpoints.ts';
import { assetsDir, cacheDir } from './workspace.ts';
import { compileLauncher, javaHome, resolveJars } from './java.ts';
import { freePort, startDetached, stopProcess, untilReady } from './server-process.ts';

export type SearchKind = 'opensearch-2' | 'opensearch-3' | 'elasticsearch-7' | 'elasticsearch-8';

export interface SearchServer {
  readonly kind: SearchKind;
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
}

export interface SearchOptions {
  readonly kind?: SearchKind;
  readonly port?: number;
  /** An existing folder is started again, with its data. */
  readonly dir?: string;
  readonly heapMb?: number;
}

interface Distribution {
  readonly version: string;
  readonly pom: string;
  readonly launcher: string;
  readonly mainClass: string;
  readonly java: number;
  readonly configFile: string;
}

const DISTRIBUTIONS: Readonly<Record<SearchKind, Distribution>> = {
  'opensearch-2': openSearch('2.19.6', 17),
  'opensearch-3': openSearch('3.8.0', 21),
  'elasticsearch-7': elasticsearch('7.17.29', 'elasticsearch/pom7.xml', 'LocalElasticsearch7'),
  'elasticsearch-8': elasticsearch('8.19.0', 'elasticsearch/pom8.xml', 'LocalElasticsearch8'),
};

function openSearch(version: string, java: number): Distribution {
  const launcher = 'opensearch/LocalOpenSearch.java';
  const [pom, configFile] = ['opensearch/pom.xml', 'opensearch.yml'];
  return { version, pom, launcher, mainClass: 'LocalOpenSearch', java, configFile };
}

function elasticsearch(version: string, pom: string, mainClass: string): Distribution {
  const launcher = `elasticsearch/${mainClass}.java`;
  return { version, pom, launcher, mainClass, java: 17, configFile: 'elasticsearch.yml' };
}

/** Whether this machine has a Java new enough for the distribution. */
export function canStart(kind: SearchKind): boolean {
  return javaHome(DISTRIBUTIONS[kind].java) !== undefined;
}

/** Starts one real OpenSearch or Elasticsearch node from its published jars, plain HTTP on loopback. */
export async function startSearch(options: SearchOptions = {}): Promise<SearchServer> {
  const kind = options.kind ?? 'opensearch-2';
  const { version, pom, launcher, mainClass, java } = DISTRIBUTIONS[kind];
  const home = javaHome(java);
  const bin = (tool: string) => (home === undefined ? tool : join(home, 'bin', tool));
  const jars = resolveJars(`${kind}-${version}`, pom, { 'opensearch.version': version });
  const classes = compileLauncher(launcher, jars, bin('javac'));
  const port = await freePort(options.port);
  const dir = options.dir ?? join(cacheDir(), 'data', uniqueName(kind));
  configure(kind, dir, jars);
  const heap = `${options.heapMb ?? 1024}m`;
  const logFile = join(dir, 'stdout.log');
  const pid = startDetached({
    command: bin('java'),
    args: [
      `-Xms${heap}`,
      `-Xmx${heap}`,
      ...flags(kind, dir),
      '-cp',
      `${classes}:${jars}/*`,
      mainClass,
      dir,
      String(port),
    ],
    cwd: dir,
    logFile,
  });
  const url = `http://127.0.0.1:${port}`;
  await untilReady({ name: kind, pid, logFiles: [logFile, join(dir, 'server.log')] }, async () => {
    const health = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`);
    return health.ok;
  });
  return { kind, url, port, pid, dir };
}

export async function stopSearch(server: SearchServer, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  await stopProcess(server.pid, signal, 30_000);
}

function configure(kind: SearchKind, dir: string, jars: string): void {
  mkdirSync(join(dir, 'config'), { recursive: true });
  mkdirSync(join(dir, 'tmp'), { recursive: true });
  const common = [
    'cluster.name: local',
    'node.name: local',
    'discovery.type: single-node',
    'network.host: 127.0.0.1',
  ];
  const disk = [
    'action.auto_create_index: false',
    'cluster.routing.allocation.disk.threshold_enabled: false',
  ];
  const transport = kind === 'elasticsearch-8' ? [] : ['transport.port: 0'];
  writeFileSync(
    join(dir, 'config', DISTRIBUTIONS[kind].configFile),
    [...common, ...disk, ...transport, ''].join('\n'),
  );
  cpSync(join(assetsDir(), 'log4j2.properties'), join(dir, 'config/log4j2.properties'));
  if (kind === 'elasticsearch-8') installTransport(dir, jars);
}

/** Elasticsearch 8 loads its transport as a module with a descriptor and jars of its own. */
function installTransport(dir: string, jars: string): void {
  const module = join(dir, 'modules/transport-netty4');
  mkdirSync(module, { recursive: true });
  mkdirSync(join(dir, 'plugins'), { recursive: true });
  cpSync(
    join(assetsDir(), 'elasticsearch/transport-netty4.properties'),
    join(module, 'plugin-descriptor.properties'),
  );
  const aside = `${jars}-transport`;
  mkdirSync(aside, { recursive: true });
  for (const jar of readdirSync(jars)) {
    if (/^(transport-)?netty/.test(jar)) renameSync(join(jars, jar), join(aside, jar));
  }
  for (const jar of readdirSync(aside))
    if (!existsSync(join(module, jar))) cpSync(join(aside, jar), join(module, jar));
}

function flags(kind: SearchKind, dir: string): string[] {
  const common = [
    '-XX:+UseG1GC',
    `-Djava.io.tmpdir=${join(dir, 'tmp')}`,
    `-Dpgstream.server.log=${join(dir, 'server.log')}`,
    '-Dlog4j2.disable.jmx=true',
    '-Dlog4j.shutdownHookEnabled=false',
    '-Dio.netty.noUnsafe=true',
    '-Dio.netty.noKeySetOptimization=true',
    '-Dio.netty.recycler.maxCapacityPerThread=0',
    '--add-opens=java.base/java.io=ALL-UNNAMED',
  ];
  const prefix = kind.startsWith('opensearch') ? 'opensearch' : 'es';
  const type = kind === 'elasticsearch-8' ? ['-Des.distribution.type=tar'] : [];
  return [...common, `-D${prefix}.networkaddress.cache.ttl=60`, ...type];
}
