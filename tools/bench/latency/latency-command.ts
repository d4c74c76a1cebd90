import { parseArgs } from 'node:util';
import { startBenchWorld } from '../bench-world.ts';
import { LATENCY_PLAN, measureLatency, type LatencyFigures, type LatencyPlan } from './latency.ts';

interface Measured {
  readonly figures: LatencyFigures;
  readonly jsonFile: string | undefined;
}

/** @returns `undefined` for arguments that say nothing known */
export function latencyCommand(args: readonly string[]): (() => Promise<Measured>) | undefined {
  try {
    const options = {
      rates: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
    } as const;
    const { values } = parseArgs({ args: [...args], options });
    const ratesPerS = values.rates?.split(',').map(positive) ?? LATENCY_PLAN.ratesPerS;
    const seconds = values.seconds === undefined ? LATENCY_PLAN.seconds : positive(values.seconds);
    return () => measure({ ...LATENCY_PLAN, ratesPerS, seconds }, values.json);
  } catch {
    return undefined;
  }
}

async function measure(plan: LatencyPlan, jsonFile: string | undefined): Promise<Measured> {
  const world = await startBenchWorld();
  try {
    const figures = await measureLatency(world, plan);
    print(figures);
    return { figures, jsonFile };
  } finally {
    await world.close();
  }
}

function print({ rates, recovery }: LatencyFigures): void {
  console.log(
    '\nsystem           commits/s   reached    p50 ms    p90 ms    p99 ms  p99.9 ms    max ms   noise, cores',
  );
  for (const rate of rates) {
    const { commitsPerS, reachedPerS, noiseCores } = rate;
    const times = [rate.p50Ms, rate.p90Ms, rate.p99Ms, rate.p999Ms, rate.maxMs].map((ms) => ms.toFixed(2));
    const cells = [commitsPerS, reachedPerS.toFixed(0), ...times, noiseCores.toFixed(2)];
    console.log(rate.system.padEnd(16), cells.map((cell) => String(cell).padStart(9)).join(' '));
  }
  const { bulkRows, bulkSeconds, limitMs, recoveryMs } = recovery;
  console.log(
    `\n${bulkRows} rows in one transaction were in the topic ${bulkSeconds.toFixed(1)} s after their commit; small commits took at most ` +
      `${limitMs.toFixed(1)} ms again ${recoveryMs === null ? 'never' : `${Math.round(recoveryMs)} ms`} after the last of them\n`,
  );
}

/** @throws {RangeError} for anything but a number above 0 */
function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1e6)) throw new RangeError(`${text} is not a number above 0`);
  return value;
}
