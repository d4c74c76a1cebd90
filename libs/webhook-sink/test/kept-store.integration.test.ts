import { Buffer } from 'node:buffer';
import { CursorStore, KeptStore } from '../src/index.ts';
import { OwnStore } from './own-store.ts';

test('what is kept comes back in the order of the log, page by page, and not in that of its digits', async () => {
  await using own = await OwnStore.open();
  const kept = new KeptStore(own.pool, 'slot:a');
  const epoch = await new CursorStore(own.pool, 'slot:a').claim(0);
  const records = [105, 9, 59, 10, 1_000].map((offset) => {
    return { offset, commitTimeMs: 1_000, record: Buffer.from(`record ${offset}`) };
  });
  expect(await kept.keep(epoch, records, 'somewhere', [])).toBe(true);
  const offsetsOf = async (from: number, maxBytes: number) => {
    const page = await kept.read(from, 10_000, maxBytes);
    return { offsets: page.records.map(({ offset }) => offset), hasMore: page.hasMore };
  };
  expect(await offsetsOf(0, 1_000_000)).toEqual({ offsets: [9, 10, 59, 105, 1_000], hasMore: false });
  expect(await offsetsOf(10, 20)).toEqual({ offsets: [10, 59], hasMore: true });
  expect(await offsetsOf(60, 1)).toEqual({ offsets: [105], hasMore: true });
});
