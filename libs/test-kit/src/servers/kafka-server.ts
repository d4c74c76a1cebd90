import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { uniqueName } from '../endpoints.ts';
import { assetsDir, cacheDir } from './workspace.ts';
import { resolveJars } from './java.ts';
import { freePort, runToEnd, startDetached, stopProcess, untilReady } from './server-process.ts';

const VERSION = '4.3.1';

export interface KafkaServer {
  /** `host:port` of the plain listener. */
  readonly broker: string;
  /** TLS; a client certificate of the test CA is asked for, not demanded. */
  readonly tlsBroker: string;
  /** TLS with SASL PLAIN or SCRAM: user `alice`, password `alice-secret`. */
  readonly saslBroker: string;
  readonly pid: number;
  readonly dir: string;
}

export interface KafkaOptions {
  readonly port?: number;
  /** An existing folder is started again, with its data. */
  readonly dir?: string;
  readonly heapMb?: number;
  /** Of a cluster of several: all have the same. Default: one of its own. */
  readonly clusterId?: string;
  /** Default: any free port. */
  readonly controllerPort?: number;
  /** Lines added to server.properties, for example `log.retention.ms=1000`; they win over those before. */
  readonly properties?: readonly string[];
}

/** Starts one real Kafka broker (KRaft, broker and controller) from its published jars. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const jars = kafkaJars();
  const dir = options.dir ?? join(cacheDir(), 'data', uniqueName('kafka'));
  mkdirSync(dir, { recursive: true });
  const propertiesFile = join(dir, 'server.properties');
  if (!existsSync(propertiesFile)) await format(dir, propertiesFile, jars, options);
  const ports = portsOf(readFileSync(propertiesFile, 'utf8'));
  const heap = `${options.heapMb ?? 512}m`;
  const logFile = join(dir, 'stdout.log');
  const pid = startDetached({
    command: 'java',
    args: [
      `-Xms${heap}`,
      `-Xmx${heap}`,
      '-XX:+UseG1GC',
      '-XX:MaxGCPauseMillis=20',
      ...logging(dir),
      '-cp',
      `${jars}/*`,
      'kafka.Kafka',
      propertiesFile,
    ],
    cwd: dir,
    logFile,
  });
  const serverLog = join(dir, 'server.log');
  const startedBefore = existsSync(serverLog) ? count(serverLog) : 0;
  await untilReady({ name: 'Kafka', pid, logFiles: [logFile, serverLog] }, async () => {
    return existsSync(serverLog) && count(serverLog) > startedBefore;
  });
  return { broker: local(ports.plain), tlsBroker: local(ports.tls), saslBroker: local(ports.sasl), pid, dir };
}

export async function stopKafka(server: KafkaServer, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  await stopProcess(server.pid, signal, 30_000);
}

function local(port: number): string {
  return `127.0.0.1:${port}`;
}

/** The folder of the broker's jars, with the performance tool's beside them. */
export function kafkaJars(): string {
  return resolveJars(`kafka-${VERSION}`, 'kafka/pom.xml', { 'kafka.version': VERSION });
}

function count(log: string): number {
  return readFileSync(log, 'utf8').split('Kafka Server started').length - 1;
}

function logging(dir: string): string[] {
  const config = join(assetsDir(), 'log4j2.properties');
  return [`-Dlog4j2.configurationFile=${config}`, `-Dpgstream.server.log=${join(dir, 'server.log')}`];
}

async function format(dir: string, file: string, jars: string, options: KafkaOptions): Promise<void> {
  const controllerPort = options.controllerPort ?? (await freePort());
  const ports = [await freePort(options.port), controllerPort, await freePort(), await freePort()];
  writeFileSync(file, properties(dir, ports));
  for (const line of options.properties ?? []) appendFileSync(file, `${line}\n`);
  const clusterId = options.clusterId ?? randomBytes(16).toString('base64url');
  // one argument: an id that begins with a dash would pass for a flag, one time in 64
  const id = `--cluster-id=${clusterId}`;
  const scram = ['256', '512'].map((bits) => `SCRAM-SHA-${bits}=[name=alice,password=alice-secret]`);
  const java = ['-Xmx128m', '-XX:TieredStopAtLevel=1', ...logging(dir), '-cp', `${jars}/*`];
  const scramFlags = scram.flatMap((entry) => ['--add-scram', entry]);
  runToEnd('java', [...java, 'kafka.tools.StorageTool', 'format', id, '-c', file, ...scramFlags], {
    cwd: dir,
  });
}

function portsOf(text: string): { plain: number; tls: number; sasl: number } {
  const port = (listener: string) =>
    Number(new RegExp(`${listener}://127\\.0\\.0\\.1:(\\d+)`).exec(text)?.[1]);
  return { plain: port('PLAINTEXT'), tls: port('SSL'), sasl: port('SASL_SSL') };
}

function properties(dir: string, ports: readonly number[]): string {
  const [plain, controller, tls, sasl] = ports;
  const certs = join(assetsDir(), 'tls');
  const keystore = join(dir, 'server.pem');
  writeFileSync(
    keystore,
    `${readFileSync(join(certs, 'server.key'), 'utf8')}${readFileSync(join(certs, 'server.crt'), 'utf8')}`,
  );
  const client = `PLAINTEXT://127.0.0.1:${plain},SSL://127.0.0.1:${tls},SASL_SSL://127.0.0.1:${sasl}`;
  const plainModule = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  const scramModule = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=${client},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=${client}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=${keystore}
ssl.truststore.type=PEM
ssl.truststore.location=${join(certs, 'ca.crt')}
ssl.client.auth=requested
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=${plainModule} user_alice="alice-secret";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${scramModule}
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${scramModule}
log.dirs=${join(dir, 'data')}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
default.replication.factor=1
min.insync.replicas=1
num.partitions=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
`;
}
