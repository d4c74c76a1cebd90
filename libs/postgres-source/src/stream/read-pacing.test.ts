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

test('in a backlog the buffers are left to fill', () => {
  expect(rest(1_000, 2_000)).toBe(100);
  expect(rest(100_000, 2_000)).toBe(100);
  expect(rest(256 * 1024, 2_000)).toBe(0);
});

test('a keepalive after hours without a commit is no backlog', () => {
  expect(rest(23)).toBe(1);
});

test('a backlog is forgotten with the read that showed it', () => {
  const pacing = new ReadPacing(1);
  pacing.sentAt((COMMIT_MS - MS_2000 + 60_000) * 1000);
  expect(pacing.rest(1_000, COMMIT_MS)).toBe(100);
  expect(pacing.wantsClock).toBe(true);
  expect(pacing.rest(1_000, COMMIT_MS)).toBe(1);
});

test('an eager reader never rests', () => {
  expect(rest(1_000, 2_000, 0)).toBe(0);
});
