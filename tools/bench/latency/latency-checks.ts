import type { Check } from '../../product/screen.ts';
import type { RateFigures, Recovery } from './latency.ts';

/** The last two are times those of tuned Debezium. */
export const TARGETS = { p50Ms: 2, p99Ms: 10, recoveryMs: 2_000, p50Share: 0.25, p99Share: 1 };

/** Of the product by itself, and against the system that was measured at the same rates. */
export function latencyChecks(
  own: readonly RateFigures[],
  peer: readonly RateFigures[],
  recovery: Recovery,
): Check[] {
  return [...checksOf(own, recovery), ...againstPeer(own, peer)];
}

function checksOf(rates: readonly RateFigures[], recovery: Recovery): Check[] {
  const checks = rates.flatMap(({ commitsPerS, p50Ms, p99Ms }) => [
    atMost(`commit to Kafka at ${commitsPerS} commits/s, p50`, p50Ms, 'ms', TARGETS.p50Ms),
    atMost(`commit to Kafka at ${commitsPerS} commits/s, p99`, p99Ms, 'ms', TARGETS.p99Ms),
  ]);
  const recoveredMs = recovery.recoveryMs ?? Number.MAX_SAFE_INTEGER;
  const name = `small commits are as fast as before after the last of ${recovery.bulkRows} rows`;
  return [...checks, atMost(name, recoveredMs, 'ms', TARGETS.recoveryMs)];
}

/** Rates that both were measured at. */
function againstPeer(own: readonly RateFigures[], peer: readonly RateFigures[]): Check[] {
  return own.flatMap(({ commitsPerS, p50Ms, p99Ms }) => {
    const other = peer.find((rate) => rate.commitsPerS === commitsPerS);
    if (other === undefined) return [];
    const name = `commit to Kafka at ${commitsPerS} commits/s against ${other.system}`;
    return [
      atMost(`${name}, p50`, p50Ms / other.p50Ms, 'x', TARGETS.p50Share),
      atMost(`${name}, p99`, p99Ms / other.p99Ms, 'x', TARGETS.p99Share),
    ];
  });
}

function atMost(name: string, value: number, unit: string, target: number): Check {
  return { name, value, unit, target, pass: value <= target };
}
