/** Microseconds of CLOCK_MONOTONIC: every process of one machine reads the same clock, whenever it was started. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
