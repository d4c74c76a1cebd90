import type { Clock } from '@pgstream/failure';
import type { SearchStore } from '@pgstream/search-store';
import { silentObserver } from './observer.ts';
import { Refresher } from './refresher.ts';
import { PhysicalIndex } from './table-index.ts';

function indexNamed(name: string): PhysicalIndex {
  return new PhysicalIndex({ writeAlias: `w-${name}`, name, generation: 1, properties: {} });
}

function setup() {
  const state = { nowMs: 1_000_000, lagging: false };
  const paths: string[] = [];
  const store = {
    request: async (_method: string, path: string) => {
      paths.push(path);
      return { status: 200, text: '{}' };
    },
  };
  const refresher = new Refresher({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the refresher calls
    store: store as unknown as SearchStore,
    observer: silentObserver,
    minIntervalMs: 20,
    lagging: () => state.lagging,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the refresher calls
    clock: { now: () => state.nowMs } as unknown as Clock,
  });
  return { state, paths, refresher };
}

async function refreshed(refresher: Refresher, index: PhysicalIndex): Promise<void> {
  refresher.note([index]);
  await new Promise((resolve) => setImmediate(resolve));
}

test('a bulk carries the refresh when it has all there is to show, and after a rest', async () => {
  const { state, refresher } = setup();
  const a = indexNamed('a');
  expect(refresher.carry(new Set([a]))).toBe(false); // nobody has looked at its settings
  await refreshed(refresher, a);
  expect([refresher.carry(new Set([a])), refresher.restMs]).toEqual([false, 20]);
  state.nowMs += 20;
  expect([refresher.carry(new Set([a])), refresher.carry(new Set([a]))]).toEqual([true, false]);
  state.nowMs += 100;
  refresher.carried(new Set([a]), true);
  expect(refresher.carry(new Set([a]))).toBe(false);
  state.nowMs += 24;
  expect(refresher.restMs).toBe(1);
  state.nowMs += 1;
  expect(refresher.carry(new Set([a]))).toBe(true);
  refresher.carried(new Set([a]), false);
  await refresher.close();
});

test('what a refresh has failed to show is shown by the next, and keeps others from carrying one', async () => {
  const { state, paths, refresher } = setup();
  const [a, b] = [indexNamed('a'), indexNamed('b')];
  await refreshed(refresher, a);
  state.nowMs += 1_000;
  await refreshed(refresher, b);
  state.nowMs += 1_000;
  state.lagging = true;
  expect(refresher.carry(new Set([a]))).toBe(false);
  refresher.note([a]);
  state.lagging = false;
  expect([refresher.carry(new Set([b])), refresher.carry(new Set([a, b]))]).toEqual([false, true]);
  const before = paths.length;
  refresher.carried(new Set([a, b]), false);
  await new Promise((resolve) => setImmediate(resolve));
  expect(paths.slice(before)).toEqual([expect.stringContaining('/a/_refresh')]);
  await refresher.close();
});
