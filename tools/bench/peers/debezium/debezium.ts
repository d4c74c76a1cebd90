import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assetsDir, freePort, resolveJars, waitFor, workspaceRoot } from '@pgstream/test-kit';
import { DEFAULT_DEBEZIUM, TUNED_DEBEZIUM } from '../names.ts';
import type { Peer, PeerRun, PeerSystem } from '../peer.ts';
import type { PeerCommand } from '../peer-process.ts';
import type { PeerWorld } from '../peer-world.ts';
import { ProcessPeer, type ProcessPlace } from '../process-peer.ts';
import { debeziumRow } from '../row-of.ts';
import { connectorProperties, propertiesText, workerProperties, type Tuning } from './settings.ts';

const DEBEZIUM = '3.6.1.Final';
const CONNECT = '4.3.1';
const NAMES: Readonly<Record<Tuning, string>> = { default: DEFAULT_DEBEZIUM, tuned: TUNED_DEBEZIUM };
const HEAP = ['-Xms256m', '-Xmx2g', '-XX:+UseG1GC'];
const START_TIMEOUT_MS = 900_000;
/** A starting JVM needs the processor more than questions. */
const ASK_EVERY_MS = 200;

/** Debezium in Kafka Connect standalone, both from their published jars. */
export function debezium(tuning: Tuning): PeerSystem {
  return {
    name: NAMES[tuning],
    leftOut: undefined,
    plugin: 'pgoutput',
    topicOf,
    open: async (world, run) => open(world, run, tuning),
    rowOf: debeziumRow,
  };
}

function topicOf({ name, table }: PeerRun): string {
  return `${name}.public.${table}`;
}

async function open(world: PeerWorld, run: PeerRun, tuning: Tuning): Promise<Peer> {
  const dir = world.folder(run.name);
  const jars = debeziumJars();
  const restPort = await freePort();
  const [worker, connector] = [join(dir, 'worker.properties'), join(dir, 'connector.properties')];
  const facts = { broker: world.broker, restPort, offsetsFile: join(dir, 'offsets') };
  writeFileSync(worker, propertiesText(workerProperties({ ...facts, pluginPath: jars.plugins }, tuning)));
  const { url } = world;
  const { name, table, publication } = run;
  const settings = connectorProperties({ url, name, slot: name, publication, table }, tuning);
  writeFileSync(connector, propertiesText(settings));
  const serverLog = join(dir, 'connect.log');
  const place = {
    slot: name,
    topic: topicOf(run),
    statusUrl: `http://127.0.0.1:${restPort}/connectors/${name}/status`,
    serverLog,
  };
  return new Debezium(world, place, {
    name: NAMES[tuning],
    command: 'java',
    args: [
      ...HEAP,
      `-Dlog4j2.configurationFile=${join(assetsDir(), 'log4j2.properties')}`,
      `-Dpgstream.server.log=${serverLog}`,
      '-cp',
      `${jars.connect}/*`,
      'org.apache.kafka.connect.cli.ConnectStandalone',
      worker,
      connector,
    ],
    cwd: dir,
    logFile: join(dir, 'stdout.log'),
  });
}

/** Connect's own class path, and the folder of plugins, which has the connector's in a folder of its own. */
function debeziumJars(): { readonly connect: string; readonly plugins: string } {
  const poms = join(workspaceRoot(), 'tools/bench/peers/debezium');
  const versions = { 'kafka.version': CONNECT, 'debezium.version': DEBEZIUM };
  const connect = resolveJars(`connect-${CONNECT}`, join(poms, 'connect.pom.xml'), versions);
  const connector = resolveJars(`debezium/${DEBEZIUM}`, join(poms, 'connector.pom.xml'), versions);
  return { connect, plugins: dirname(connector) };
}

interface DebeziumPlace extends ProcessPlace {
  readonly statusUrl: string;
  readonly serverLog: string;
}

class Debezium extends ProcessPeer {
  readonly #place: DebeziumPlace;

  constructor(world: PeerWorld, place: DebeziumPlace, command: PeerCommand) {
    super(world, place, command);
    this.#place = place;
  }

  override failure(): string | undefined {
    const found = super.failure();
    return found === undefined ? undefined : `${found}\nsee ${this.#place.serverLog}`;
  }

  /** Running is more than having been started: a connector that finds its slot taken gives up for ten seconds. */
  override async start(): Promise<void> {
    await super.start();
    const state = await waitFor('the connector', () => this.#state(), START_TIMEOUT_MS);
    if (state !== 'RUNNING') throw new Error(`Debezium does not run: ${state}\nsee ${this.#place.serverLog}`);
  }

  /** `RUNNING`, or what is wrong; `undefined` until it is known. */
  async #state(): Promise<string | undefined> {
    const dead = this.failure();
    if (dead !== undefined) return dead;
    await sleep(ASK_EVERY_MS);
    const answer = await fetch(this.#place.statusUrl);
    if (!answer.ok) return undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the status answer of Connect's REST interface
    const { connector, tasks } = (await answer.json()) as ConnectorStatus;
    const failed = [connector, ...tasks].find(({ state }) => state === 'FAILED');
    if (failed !== undefined) return failed.trace?.split('\n', 3).join(' ') ?? 'FAILED';
    return tasks.length > 0 && tasks.every(({ state }) => state === 'RUNNING') ? 'RUNNING' : undefined;
  }
}

interface ConnectorStatus {
  readonly connector: { readonly state: string; readonly trace?: string };
  readonly tasks: ReadonlyArray<{ readonly state: string; readonly trace?: string }>;
}
