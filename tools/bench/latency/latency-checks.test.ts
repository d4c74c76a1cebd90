import { latencyChecks } from './latency-checks.ts';
import type { RateFigures, Recovery } from './latency.ts';

const rate = (
  system: string,
  commitsPerS: number,
  [p50Ms, p99Ms]: readonly [number, number],
): RateFigures => ({
  system,
  commitsPerS,
  reachedPerS: commitsPerS,
  commits: 1000,
  p50Ms,
  p90Ms: p99Ms,
  p99Ms,
  p999Ms: p99Ms,
  maxMs: p99Ms,
  curveMs: [],
  noiseCores: 0,
});
const RECOVERY: Recovery = {
  commitsPerS: 200,
  bulkRows: 1000,
  bulkSeconds: 1,
  limitMs: 10,
  recoveryMs: 500,
  timeline: [],
  noiseCores: 0,
};

const failed = (own: RateFigures, peer: readonly RateFigures[], recovery = RECOVERY) =>
  latencyChecks([own], peer, recovery)
    .filter(({ pass }) => !pass)
    .map(({ name }) => name);

test('a system is held against itself and, at the same rate, against the other', () => {
  const peer = [rate('Debezium', 200, [8, 9]), rate('Debezium', 500, [1, 1])];
  expect(failed(rate('pgstream', 200, [2, 9]), peer)).toEqual([]);
  expect(failed(rate('pgstream', 200, [2.1, 9]), peer)).toEqual([
    'commit to Kafka at 200 commits/s, p50',
    'commit to Kafka at 200 commits/s against Debezium, p50',
  ]);
  expect(failed(rate('pgstream', 200, [1, 9.5]), peer)).toEqual([
    'commit to Kafka at 200 commits/s against Debezium, p99',
  ]);
  expect(latencyChecks([rate('pgstream', 300, [1, 1])], peer, RECOVERY)).toHaveLength(3);
});

test('small commits that were never fast again fail', () => {
  expect(failed(rate('pgstream', 200, [1, 1]), [], { ...RECOVERY, recoveryMs: null })).toEqual([
    'small commits are as fast as before after the last of 1000 rows',
  ]);
});
