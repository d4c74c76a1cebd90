import { distribution, latencyMs, recoveryMs, timeline, type Travel } from './percentiles.ts';

/** Commits a hundred to the second, each with its latency in milliseconds. */
function travels(latenciesMs: readonly number[]): Travel[] {
  return latenciesMs.map((ms, i) => {
    const committedUs = 1_000_000 + i * 10_000;
    return { committedUs, arrivedUs: committedUs + ms * 1000 };
  });
}

test('percentiles are values that were measured: the smallest that so many of a hundred do not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  const { commits, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = distribution(travels(hundred));
  expect({ commits, p50Ms, p90Ms, p99Ms, p999Ms, maxMs }).toEqual({
    commits: 100,
    p50Ms: 50,
    p90Ms: 90,
    p99Ms: 99,
    p999Ms: 100,
    maxMs: 100,
  });
});

test('one slow commit of a thousand is in the last percentile and in no other', () => {
  const thousand = Array.from({ length: 1000 }, (_, i) => (i === 500 ? 80 : 1));
  expect(distribution(travels(thousand))).toMatchObject({ p99Ms: 1, p999Ms: 1, maxMs: 80 });
});

test('a record that was read before its writer heard of the commit took no time', () => {
  expect(latencyMs({ committedUs: 500, arrivedUs: 400 })).toBe(0);
});

function slowThenFast(slow: number, fast: number): Travel[] {
  return travels([...Array.from({ length: slow }, () => 400), ...Array.from({ length: fast }, () => 1)]);
}

describe('recovery', () => {
  test('ends with the first commit that is as fast as before, and so are those behind it', () => {
    // 30 commits are slow: the 31st was made at 0.3 s, and arrived a millisecond later
    const all = slowThenFast(30, 100);
    expect(recoveryMs(all, 1_000_000, 10)).toBeCloseTo(301);
  });

  test('does not end with one fast commit among slow ones', () => {
    const all = slowThenFast(60, 100).map((travel, i) =>
      i === 20 ? { ...travel, arrivedUs: travel.committedUs } : travel,
    );
    expect(recoveryMs(all, 1_000_000, 10)).toBeCloseTo(601);
  });

  test('is none where nothing became slow, and unknown where nothing became fast', () => {
    expect(recoveryMs(slowThenFast(0, 100), 1_001_000, 10)).toBe(0);
    expect(recoveryMs(slowThenFast(100, 10), 1_000_000, 10)).toBeUndefined();
    expect(recoveryMs([], 1_000_000, 10)).toBeUndefined();
  });
});

test('a timeline has the slowest commit of each stretch, by its time from the last row', () => {
  const all = travels([1, 9, 2, 3, 30, 4]);
  expect(timeline(all, 1_030_000, 0.03)).toEqual([
    { atS: -0.015, worstMs: 9 },
    { atS: 0.015, worstMs: 30 },
  ]);
});
