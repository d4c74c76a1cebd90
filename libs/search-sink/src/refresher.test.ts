import type { Clock } from '@pgstream/failure';
import type { SearchStore } from '@pgstream/search-store';
import { silentObserver } from './observer.ts';
import { Refresher } from './refresher.ts';
import { PhysicalIndex } from './table-index.ts';

function indexNamed(name: string): PhysicalIndex {
  return new PhysicalIndex({ writeAlias: `w-${name}`, name, generation: 1, properties: {} });
}

function setup() {
  const state = { nowMs: 1_000_000, lagging: false, settings: '{}', isFailing: false, tookMs: 0 };
  const paths: string[] = [];
  const store = {
    request: async (_method: string, path: string) => {
      paths.push(path);
      if (path.includes('/_refresh')) state.nowMs += state.tookMs;
      if (state.isFailing) throw new Error('scripted');
      return await Promise.resolve({ status: 200, text: path.includes('_settings') ? state.settings : '{}' });
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
  const requests = () => paths.filter((path) => path.includes('/_refresh'));
  return { state, paths, requests, refresher };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function refreshed(refresher: Refresher, index: PhysicalIndex): Promise<void> {
  refresher.note([index]);
  await settled();
}

test('a bulk carries the refresh of its indices, and again after a rest', async () => {
  const { state, refresher } = setup();
  const a = indexNamed('a');
  const only = new Set([a]);
  expect(refresher.carry(only)).toBe(false); // nobody has looked at its settings
  expect(refresher.restMs(only)).toBe(0);
  await refreshed(refresher, a);
  expect([refresher.carry(only), refresher.restMs(only)]).toEqual([false, 20]);
  state.nowMs += 20;
  expect([refresher.carry(only), refresher.carry(only)]).toEqual([true, false]);
  state.nowMs += 100;
  refresher.carried(only, true);
  expect(refresher.carry(only)).toBe(false);
  state.nowMs += 23;
  expect([refresher.carry(only), refresher.restMs(only)]).toEqual([false, 2]);
  state.nowMs += 1; // a timer may be early by one
  expect(refresher.carry(only)).toBe(true);
  refresher.carried(only, false);
  await refresher.close();
});

test('bulks to other indices carry theirs while one index waits for a refresh, or has it under way', async () => {
  const { state, requests, refresher } = setup();
  const [a, b] = [indexNamed('a'), indexNamed('b')];
  await refreshed(refresher, b);
  state.nowMs += 1_000;
  await refreshed(refresher, a);
  state.nowMs += 10;
  refresher.note([a]); // too early: it waits
  expect([refresher.restMs(new Set([a, b])), refresher.restMs(new Set([b]))]).toEqual([10, 0]);
  expect(refresher.carry(new Set([b]))).toBe(true);
  refresher.carried(new Set([b]), true);
  expect(requests()).toHaveLength(2);
  state.nowMs += 1_000;
  refresher.note([a]); // under way until the next turn
  expect(refresher.carry(new Set([b]))).toBe(true);
  await settled();
  expect(requests()).toEqual([expect.any(String), expect.any(String), expect.stringContaining('/a/')]);
  await refresher.close();
});

test('of the indices that wait those are refreshed that have rested', async () => {
  const { state, requests, refresher } = setup();
  const [a, b] = [indexNamed('a'), indexNamed('b')];
  await refreshed(refresher, a);
  state.nowMs += 1_000;
  await refreshed(refresher, b);
  state.nowMs += 10;
  refresher.note([a, b]);
  await settled();
  expect(requests().slice(2)).toEqual([expect.stringContaining('/a/_refresh')]);
  await refresher.close();
});

test('what was written before a bulk carried the refresh of its index is refreshed after it: a bulk shows its own shards only', async () => {
  const { state, requests, refresher } = setup();
  const a = indexNamed('a');
  await refreshed(refresher, a);
  state.nowMs += 1_000;
  state.lagging = true; // no refresh begins
  refresher.note([a]);
  state.lagging = false;
  expect(refresher.carry(new Set([a]))).toBe(true);
  refresher.carried(new Set([a]), true);
  state.nowMs += 1_000;
  refresher.note([]);
  await settled();
  expect(requests().slice(1)).toEqual([expect.stringContaining('/a/_refresh')]);
  await refresher.close();
});

test('settings that are old keep no bulk from carrying: they are read meanwhile, and what they say holds for the next', async () => {
  const { state, paths, refresher } = setup();
  const a = indexNamed('a');
  await refreshed(refresher, a);
  state.nowMs += 60_000;
  state.settings = '{"a":{"settings":{"index.refresh_interval":"-1"}}}';
  const before = paths.length;
  expect(refresher.carry(new Set([a]))).toBe(true);
  refresher.carried(new Set([a]), true);
  await settled();
  expect(paths.slice(before)).toEqual([expect.stringContaining('/a/_settings')]);
  state.nowMs += 1_000;
  expect([refresher.carry(new Set([a])), refresher.restMs(new Set([a]))]).toEqual([false, 0]);
  await refresher.close();
});

test('a request that failed is not asked again for a second, however well bulks do', async () => {
  const { state, paths, refresher } = setup();
  const [a, b] = [indexNamed('a'), indexNamed('b')];
  await refreshed(refresher, b);
  state.nowMs += 1_000;
  state.isFailing = true;
  await refreshed(refresher, a);
  const before = paths.length;
  for (let bulk = 0; bulk < 9; bulk++) {
    state.nowMs += 100;
    expect(refresher.carry(new Set([b]))).toBe(true);
    refresher.carried(new Set([b]), true);
    refresher.note([]);
  }
  await settled();
  expect(paths).toHaveLength(before);
  state.isFailing = false;
  state.nowMs += 100;
  await refreshed(refresher, a);
  expect(paths.slice(before)).toContainEqual(expect.stringContaining('/a/_refresh'));
  await refresher.close();
});

test('a slow request keeps no bulk from carrying, and rests itself', async () => {
  const { state, requests, refresher } = setup();
  const [a, b] = [indexNamed('a'), indexNamed('b')];
  await refreshed(refresher, b);
  state.tookMs = 1_000;
  await refreshed(refresher, a);
  expect([refresher.restMs(new Set([b])), refresher.carry(new Set([b]))]).toEqual([0, true]);
  refresher.carried(new Set([b]), true);
  refresher.note([a]); // the request rests for a quarter of its second
  await settled();
  expect(requests()).toHaveLength(2);
  await refresher.close();
});
