import { BulkLanes } from './bulk-lanes.ts';
import type { Chunk } from './chunk.ts';
import { BulkLane } from './lane.ts';
import { PhysicalIndex, TableIndex } from './table-index.ts';

const index = new PhysicalIndex({ writeAlias: 'w', name: 'i', generation: 1, properties: {} });
const state = { table_id: '1', schema: 's', table: 't', version: '1', dropped: false };
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the lanes look at
const table = new TableIndex(state as unknown as TableIndex['state'], index);

/** Three lanes over a store that answers when the test says so. */
function setup() {
  const bulks: Array<{ ids: string[]; answer: () => void }> = [];
  const store = {
    bulk: async (body: Buffer) => {
      const ids = [...body.toString().matchAll(/"_id":"(\d+)"/g)].map(([, id]) => id ?? '');
      await new Promise<void>((resolve) => {
        bulks.push({ ids, answer: resolve });
      });
      return { failures: [] };
    },
  };
  const newLane = () =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no failures here
    new BulkLane({
      store,
      observer: { bulk: () => {}, deleted: () => {}, indexed: () => {}, conflicts: () => {} },
      hooks: { holdMs: () => 0, written: () => {}, carry: () => false, carried: () => {} },
      maxBulkBytes: 1e6,
      maxBulkDocuments: 5000,
      bulkTimeoutMs: 1000,
      mayWrite: async () => true,
      backoff: { initialMs: 1, maxMs: 1 },
      onFailure: (error: unknown) => {
        throw error;
      },
    } as unknown as ConstructorParameters<typeof BulkLane>[0]);
  const lanes = new BulkLanes([newLane(), newLane(), newLane()]);
  const write = (from: number, to: number) => {
    for (let id = from; id < to; id++) add(lanes.placeOf(table, String(id)).open(), id);
    lanes.kick();
  };
  return { lanes, write, bulks };
}

function add(chunk: Chunk, id: number): void {
  const start = chunk.out.length;
  chunk.out.writeUtf8(`{"delete":{"_id":"${id}"}}\n`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- batches are not looked at
  const batch = {} as never;
  chunk.add({ table, id: String(id), version: 1n, sourceStart: -1, batch, record: 0 }, start);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test('while little waits, one bulk takes all that came while the last one was under way', async () => {
  const { lanes, write, bulks } = setup();
  write(0, 1);
  await until(() => bulks.length === 1);
  for (let id = 1; id < 50; id++) write(id, id + 1);
  bulks[0]!.answer();
  await until(() => bulks.length === 2);
  expect(bulks.map(({ ids }) => ids.length)).toEqual([1, 49]);
  bulks[1]!.answer();
  await lanes.drain();
});

test('when much waits, all lanes take part, and one is enough again when they are idle', async () => {
  const { lanes, write, bulks } = setup();
  write(0, 3000);
  await until(() => bulks.length === 3);
  expect(new Set(bulks.flatMap(({ ids }) => ids)).size).toBe(3000);
  for (const { ids } of bulks) expect(ids.length).toBeGreaterThan(500);
  for (const { answer } of bulks) answer();
  await lanes.drain();
  lanes.kick();
  write(0, 100);
  await until(() => bulks.length === 4);
  expect(bulks[3]!.ids).toHaveLength(100);
  bulks[3]!.answer();
  await lanes.drain();
});

test('a batch goes to the lane that has the least to do, and stays together', async () => {
  const { lanes, write, bulks } = setup();
  write(0, 3000);
  await until(() => bulks.length === 3);
  const least = bulks.toSorted((a, b) => a.ids.length - b.ids.length)[0]!;
  write(3000, 3600);
  expect(lanes.all.map((lane) => lane.waitingDocuments).toSorted((a, b) => a - b)).toEqual([0, 0, 600]);
  least.answer();
  await until(() => bulks.length === 4);
  expect(bulks[3]!.ids).toHaveLength(600);
  for (const { answer } of bulks) answer();
  await lanes.drain();
});

test('a document does not leave a lane while something of it waits or flies there', async () => {
  const { lanes, write, bulks } = setup();
  write(0, 200);
  await until(() => bulks.length === 1);
  write(200, 2000);
  await until(() => bulks.length === 3);
  const before = [...Array(2000).keys()].map((id) => lanes.pending(table, String(id))!.chunk);
  const laneOf = (chunk: Chunk) => lanes.all.findIndex((lane) => lane.pending(table, idIn(chunk)) !== null);
  const homes = before.map(laneOf);
  expect(new Set(homes).size).toBe(3);
  write(2000, 5000);
  const again = [...Array(2000).keys()].map((id) => lanes.all.indexOf(lanes.placeOf(table, String(id))));
  expect(again).toEqual(homes);
  write(0, 2000);
  for (let done = 0; !lanes.all.every((lane) => lane.idle);) {
    await until(() => bulks.length > done || lanes.all.every((lane) => lane.idle));
    while (done < bulks.length) bulks[done++]!.answer();
  }
  const seen = new Map<string, number>();
  for (const { ids } of bulks) for (const id of ids) seen.set(id, (seen.get(id) ?? 0) + 1);
  expect([seen.get('0'), seen.size]).toEqual([2, 5000]);
});

function idIn(chunk: Chunk): string {
  const [action = 0] = chunk.liveActions();
  return chunk.ids[action] ?? '';
}
