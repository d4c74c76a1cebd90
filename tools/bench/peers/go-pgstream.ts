import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GO_PGSTREAM } from './names.ts';
import type { Peer, PeerRun, PeerSystem } from './peer.ts';
import type { PeerWorld } from './peer-world.ts';
import { ProcessPeer } from './process-peer.ts';
import { pgstreamRow } from './row-of.ts';

/** Its own variables begin as ours do, and ours refuse what they do not know: these are taken out of the environment. */
const BINARY = 'PGSTREAM_GO_BIN';
const PLUGIN_DIR = 'PGSTREAM_GO_WAL2JSON_DIR';

export interface GoPlaces {
  readonly binary: string | undefined;
  /** The folder of a `wal2json.so` for PostgreSQL 17: the local server has none. */
  readonly pluginDir: string | undefined;
}

/** Reads the variables and removes them, so that no process that is started here sees them. */
export function takeGoPlaces(environment: NodeJS.ProcessEnv): GoPlaces {
  const places = { binary: environment[BINARY], pluginDir: environment[PLUGIN_DIR] };
  delete environment[BINARY];
  delete environment[PLUGIN_DIR];
  return places;
}

/** The original in Go, its batches tuned for throughput. */
export function goPgstream({ binary, pluginDir }: GoPlaces): PeerSystem {
  return {
    name: GO_PGSTREAM,
    leftOut: whyLeftOut({ binary, pluginDir }),
    plugin: 'wal2json',
    topicOf: ({ name }) => name,
    open: (world, run) => Promise.resolve(open(world, run, binary ?? '')),
    rowOf: pgstreamRow,
  };
}

function whyLeftOut({ binary, pluginDir }: GoPlaces): string | undefined {
  const remedy = `set ${BINARY} to the binary of the Go pgstream and ${PLUGIN_DIR} to a folder with wal2json.so for PostgreSQL 17, which it reads through`;
  if (binary === undefined || pluginDir === undefined) return remedy;
  if (!existsSync(binary)) return `${BINARY}: ${binary} is not there; ${remedy}`;
  const plugin = join(pluginDir, 'wal2json.so');
  return existsSync(plugin) ? undefined : `${PLUGIN_DIR}: ${plugin} is not there; ${remedy}`;
}

function open(world: PeerWorld, { name }: PeerRun, binary: string): Peer {
  const dir = world.folder(name);
  return new ProcessPeer(
    world,
    { slot: name, topic: name },
    {
      name: GO_PGSTREAM,
      command: binary,
      args: ['run', '--log-level', 'warn'],
      cwd: dir,
      env: {
        PGSTREAM_POSTGRES_LISTENER_URL: world.url,
        PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME: name,
        PGSTREAM_KAFKA_WRITER_SERVERS: world.broker,
        PGSTREAM_KAFKA_TOPIC_NAME: name,
        PGSTREAM_KAFKA_TOPIC_PARTITIONS: '1',
        PGSTREAM_KAFKA_WRITER_BATCH_SIZE: '5000',
        PGSTREAM_KAFKA_WRITER_BATCH_TIMEOUT: '50ms',
      },
      logFile: join(dir, 'stdout.log'),
    },
  );
}
