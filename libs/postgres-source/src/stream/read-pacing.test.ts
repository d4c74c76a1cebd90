import { ReadPacing } from './read-pacing.ts';

const MS_2000 = 946_684_800_000;
const COMMIT_MS = MS_2000 + 5_000_000;

/** The rest after a read of `bytes` whose first row was sent `lagMs` after its commit; without a row where absent. */
function rest(bytes: number, lagMs?: number, lazyReadMs = 1): number {
  const pacing = new ReadPacing(lazyReadMs);
  if (lagMs !== undefined) pacing.sentAt((COMMIT_MS - MS_2000 + lagMs) * 1000);
  return pacing.rest(bytes, COMMIT_MS);
}

test('fresh rows rest shortly after a short read, and not after a long one', () => {
  expect(rest(1_000, 20)).toBe(1);
  expect(rest(100_000, 20)).toBe(0);
});

/** The rests of one backlog after these bursts: milliseconds between the end of one rest and the end of the burst, and bytes. */
function rests(bursts: readonly (readonly [ms: number, bytes: number])[]): number[] {
  let nowMs = 1000;
  const pacing = new ReadPacing(1, () => nowMs);
  const behind = (bytes: number) => {
    pacing.sentAt((COMMIT_MS - MS_2000 + 2_000) * 1000);
    return pacing.rest(bytes, COMMIT_MS);
  };
  return bursts.map(([ms, bytes]) => {
    nowMs += ms;
    for (let left = bytes; left > 200 * 1024; left -= 256 * 1024) expect(behind(256 * 1024)).toBe(0);
    const restMs = behind(1_000);
    nowMs += restMs;
    return restMs;
  });
}
const MB = 1024 * 1024;

test('in a backlog the buffers are left to fill, the longer the slower the server sends', () => {
  const slow = [40, 3 * MB] as const;
  expect(rests([slow, slow, slow, slow, slow, slow])).toEqual([10, 20, 40, 80, 100, 100]);
  const wide = [60, 12 * MB] as const;
  expect(rests([wide, wide, wide, wide, wide]).slice(2)).toEqual([19, 20, 20]);
  expect(
    rests([
      [0, 0],
      [0, 0],
    ]),
  ).toEqual([10, 20]);
});

test('a long read in a backlog is followed by another one at once', () => {
  expect(rest(256 * 1024, 2_000)).toBe(0);
});

test('a keepalive after hours without a commit is no backlog', () => {
  expect(rest(23)).toBe(1);
});

test('a backlog is forgotten with the read that showed it', () => {
  const pacing = new ReadPacing(1);
  pacing.sentAt((COMMIT_MS - MS_2000 + 60_000) * 1000);
  expect(pacing.rest(1_000, COMMIT_MS)).toBe(10);
  expect(pacing.wantsClock).toBe(true);
  expect(pacing.rest(1_000, COMMIT_MS)).toBe(1);
  pacing.sentAt((COMMIT_MS - MS_2000 + 60_000) * 1000);
  expect(pacing.rest(1_000, COMMIT_MS)).toBe(10);
});

test('an eager reader never rests', () => {
  expect(rest(1_000, 2_000, 0)).toBe(0);
});
