import { join } from 'node:path';
import { kafkaJars } from '@pgstream/test-kit';
import { compareLoad, LOAD_NAMES, type LoadName } from './compare-load.ts';
import { PRODUCER_PERF } from './names.ts';
import type { Peer, PeerRun, PeerSystem } from './peer.ts';
import type { PeerWorld } from './peer-world.ts';
import { ProcessPeer } from './process-peer.ts';

/** What a record of ours takes uncompressed, about: the tool sends bytes of its own of that size. */
const RECORD_BYTES: Readonly<Record<LoadName, number>> = {
  narrow: 720,
  wide: 1490,
  single: 720,
  toast: 850,
  columns: 4300,
};
const TOOL = 'org.apache.kafka.tools.ProducerPerformance';
const PRODUCER = [
  'acks=all',
  'enable.idempotence=true',
  'compression.type=none',
  'linger.ms=5',
  'batch.size=1048576',
  'buffer.memory=134217728',
];

/**
 * Kafka's own performance tool: as many records of the size of ours, without reading anything. What the broker takes from one
 * Java producer on this machine, to be held against ours without zstd.
 * @param rows of the comparison, as {@link compareLoad} takes them
 */
export function producerPerf(rows: number): PeerSystem {
  return {
    name: PRODUCER_PERF,
    leftOut: undefined,
    plugin: 'pgoutput',
    topicOf: ({ name }) => name,
    open: (world, run) => Promise.resolve(open(world, run, rows)),
    rowOf: () => undefined,
  };
}

function open(world: PeerWorld, { name, table }: PeerRun, rows: number): Peer {
  const load = LOAD_NAMES.find((one) => one === table) ?? 'narrow';
  const dir = world.folder(name);
  const count = compareLoad(load, rows).rows;
  const sending =
    `--topic ${name} --throughput -1 --num-records ${count} --record-size ${RECORD_BYTES[load]}`.split(' ');
  return new SendsAndEnds(
    world,
    { slot: name, topic: name },
    {
      name: PRODUCER_PERF,
      command: 'java',
      args: [
        '-Xmx512m',
        '-cp',
        `${kafkaJars()}/*`,
        TOOL,
        ...sending,
        '--producer-props',
        `bootstrap.servers=${world.broker}`,
        ...PRODUCER,
      ],
      cwd: dir,
      logFile: join(dir, 'stdout.log'),
    },
  );
}

/** It ends by itself when everything is sent; that it ended too early shows in its log, which then stands still. */
class SendsAndEnds extends ProcessPeer {
  override failure(): string | undefined {
    return undefined;
  }
}
