import { Buffer } from 'node:buffer';
import { DDL_PREFIX, encodeRecord, parseLsn, RecordBatchBuilder } from '@pgstream/wal-event';
import { KafkaSink } from './kafka-sink.ts';
import { PartitionQueue } from './partition-queue.ts';
import { SpareWriters } from './spare-writers.ts';
import { Sender, type SenderOptions } from './sender.ts';

const PARTITIONS = 1000;
const MAX_MESSAGE_BYTES = 100_000;
const commitLsn = parseLsn('1/8');

function renamed() {
  const change = { kind: 'schema_renamed', from: 'app', schema: 'shop' };
  const content = {
    ddl: '',
    schema_name: 'shop',
    command_tag: 'ALTER SCHEMA',
    objects: [],
    schema_log: null,
    source: 'trigger',
    changes: [change],
  };
  const position = { commitLsn, seq: 0, sub: 1 } as const;
  const value = encodeRecord({
    action: 'M',
    timestamp: '2026-11-21 09:14:10.325235+00',
    position,
    epoch: 1,
    xid: 7,
    lsn: commitLsn,
    schema: '',
    table: '',
    columns: null,
    identity: null,
    tableId: '',
    keyColumnIds: null,
    unchanged: [],
    snapshot: false,
    message: { prefix: DDL_PREFIX, content: JSON.stringify({ ...content, ddl: 'x'.repeat(70_000) }) },
  });
  const batch = new RecordBatchBuilder(value.length);
  batch.epoch = 1;
  value.copy(batch.bytes);
  const table = { schema: '', table: '', tableId: '', keyColumnIds: [] };
  batch.push({ action: 'M'.charCodeAt(0), ...position, commitTimeMs: 1, table }, value.length);
  return { batch, value };
}

test('a schema record that its headers make too large for the topic can be parked', async () => {
  const writers = new SpareWriters();
  const limits = { maxBatchBytes: 90_000, maxBatchRecords: 1000, codec: 'none' as const, writers };
  const start = { epoch: 1, position: null, dataOffset: 1_000_000_000n };
  const queues = Array.from({ length: PARTITIONS }, (_, p) => new PartitionQueue(p, limits, start));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing is sent
  const sender = new Sender({ queues, maxQueueBytes: 1e9 } as unknown as SenderOptions);
  sender.pump = () => {};
  const sink = new KafkaSink({
    sender,
    keying: 'table',
    maxMessageBytes: MAX_MESSAGE_BYTES,
    topicId: '',
    release: () => {},
  });
  const { batch, value } = renamed();
  expect(value.length).toBeLessThan(MAX_MESSAGE_BYTES - 16 * 1024);
  await sink.write(batch, { settled: () => {}, failed: () => {} }, new AbortController().signal);
  const [queue] = queues;
  const queued = queue?.take()?.queued;
  expect(queued?.bytes).toBeGreaterThan(MAX_MESSAGE_BYTES);
  expect(queued?.letter?.()).toMatchObject({ code: 'KAFKA_RECORD_TOO_LARGE', table: '' });
  expect(Buffer.compare(queued?.letter?.().record ?? Buffer.alloc(0), value)).toBe(0);
});
