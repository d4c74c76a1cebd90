import { waitFor } from '@pgstream/test-kit';
import type { ChangeRecord } from '@pgstream/wal-event';
import { column, change } from './records.ts';
import { OwnLog } from './own-log.ts';
import { OwnStore, spec } from './own-store.ts';
import { Receiver } from './receiver.ts';
import { Worker } from './worker.ts';

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

/** Version `n` of a row, at transaction `n`. */
const ofRow = (n: number, id: number): ChangeRecord =>
  change(n, { action: 'U', columns: [column('id', id), column('v', n)] });
const ROWS = 3000;
const rows = Array.from({ length: ROWS }, (_, i) => change(i + 1, { columns: [column('id', i + 1)] }));

test('an endpoint that never answers costs no read of the log before a probe, and holds one event for that', async () => {
  await using log = await OwnLog.create(1);
  const unsettled: number[] = [];
  await using hole = await Receiver.start(() => {
    const lane = worker.sink.status().find(({ subscriptionId }) => subscriptionId === id);
    if (lane?.circuit === 'half-open') unsettled.push(lane.unsettled);
    return undefined;
  });
  await using worker = await Worker.start(store, log);
  const reads: Array<{ readonly circuit: string | undefined; readonly maxBytes: number | undefined }> = [];
  const read = worker.reader.read.bind(worker.reader);
  // Nobody beside it: one that a busy machine keeps from its turn would read for itself too.
  const id = await worker.subscribe(spec(hole.url, { timeoutMs: 1_000 }));
  await log.send(0, rows.slice(0, 1));
  await waitFor('it to keep up', () => worker.sink.status().some(({ state }) => state === 'attached'));
  worker.reader.read = async (partition, offset, options) => {
    const lane = worker.sink.status().find(({ subscriptionId }) => subscriptionId === id);
    reads.push({ circuit: lane?.circuit, maxBytes: options?.maxBytes });
    return await read(partition, offset, options);
  };
  await log.send(0, rows.slice(1));
  await waitFor('its window to be full', () => worker.notices.includes('lane_detached'));
  await waitFor('three probes', () => unsettled.length >= 3, 20_000);
  expect(new Set(unsettled)).toEqual(new Set([1]));
  expect(new Set(reads.map(({ circuit }) => circuit))).toEqual(new Set(['half-open']));
  expect(Math.max(...reads.map(({ maxBytes }) => maxBytes ?? Infinity))).toBeLessThanOrEqual(64 * 1024);
  hole.answers(() => 200);
  const got = await hole.accepts(ROWS);
  expect(new Set(got.map(({ id: one }) => one)).size).toBe(ROWS);
  expect(worker.failure).toBeUndefined();
});

test('an event that can be neither sent nor parked does not keep a recovered endpoint from its probe', async () => {
  await using log = await OwnLog.create(1);
  let mood: 'refuses one row' | 'hangs' = 'refuses one row';
  await using receiver = await Receiver.start(({ body }) => {
    if (mood === 'hangs') return undefined;
    return JSON.parse(body.toString()).data.new.id === 1 ? 422 : 200;
  });
  const anHour = 3_600_000;
  await using worker = await Worker.start(store, log, {
    limits: { maxParked: 2 },
    schedule: { initialRetryMs: 50, maxRetryMs: 100, parkAfterMs: 300, parkedMs: [anHour, anHour] },
    circuit: { initialOpenMs: 200, maxOpenMs: 400, maxConsecutiveFailures: 20, maxFailureShare: 2 },
  });
  const id = await worker.subscribe(spec(receiver.url, { timeoutMs: 500 }));
  // Of row 1 the first is refused, the second waits for it, and for the third there is no place.
  await log.send(0, [ofRow(1, 1), ofRow(2, 1), ofRow(3, 1), ofRow(4, 2)]);
  await waitFor('two to be parked', async () => (await worker.retries.parkedCount(id)) === 2);
  await receiver.accepts(1);
  mood = 'hangs';
  await log.send(
    0,
    Array.from({ length: 40 }, (_, i) => ofRow(i + 5, i + 10)),
  );
  await waitFor('the circuit to open', () => worker.sink.status().some(({ circuit }) => circuit === 'open'));
  mood = 'refuses one row';
  await receiver.accepts(41);
  expect(await worker.retries.parkedCount(id)).toBe(2);
  expect(worker.failure).toBeUndefined();
});
