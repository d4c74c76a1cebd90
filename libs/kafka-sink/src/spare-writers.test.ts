import { Buffer } from 'node:buffer';
import { RecordBatchWriter } from '@pgstream/kafka-client';
import { SpareWriters } from './spare-writers.ts';

test('what comes back is empty and used again, and no more is kept than a few large ones, however many there were', () => {
  const spare = new SpareWriters();
  const used = spare.take();
  used.add(null, Buffer.from('a'), 0, 1, 0);
  spare.give(used);
  expect([spare.take(), used.count, spare.bytes]).toEqual([used, 0, 0]);
  const writers = Array.from({ length: 48 }, () => new RecordBatchWriter(2 * 1024 * 1024));
  for (const writer of writers) spare.give(writer);
  expect(spare.bytes).toBe(6 * 1024 * 1024);
  const taken = Array.from({ length: 4 }, () => spare.take());
  expect(taken.map((writer) => writers.includes(writer))).toEqual([true, true, true, false]);
  expect(spare.bytes).toBe(0);
});
