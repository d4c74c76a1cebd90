import { OwnedPartition } from './owned-partition.ts';

test('without anybody attached a batch settles at once, and the end of the list is found', async () => {
  const owned = new OwnedPartition(0, 0, () => Promise.resolve());
  await owned.ready;
  const settled: number[] = [];
  for (const endOffset of [5, 9])
    owned.opened(endOffset, { settled: () => void settled.push(endOffset), failed: () => {} });
  expect([settled, owned.hasOpen]).toEqual([[5, 9], false]);
});
