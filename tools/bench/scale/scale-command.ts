import { parseArgs } from 'node:util';
import { startBenchWorld } from '../bench-world.ts';
import { FULL_PLAN, measureScale, QUICK_PLAN, type ScaleFigures, type ScalePlan } from './scale.ts';

interface Measured {
  readonly figures: ScaleFigures;
  readonly jsonFile: string | undefined;
}

/** @returns `undefined` for arguments that say nothing known */
export function scaleCommand(args: readonly string[]): (() => Promise<Measured>) | undefined {
  try {
    const options = { quick: { type: 'boolean', default: false }, json: { type: 'string' } } as const;
    const { quick, json } = parseArgs({ args: [...args], options }).values;
    return () => measure(quick ? QUICK_PLAN : FULL_PLAN, json);
  } catch {
    return undefined;
  }
}

async function measure(plan: ScalePlan, jsonFile: string | undefined): Promise<Measured> {
  const world = await startBenchWorld();
  try {
    const figures = await measureScale(world, plan);
    console.log(`\nnoise: others kept ${figures.noiseCores.toFixed(2)} cores busy\n`);
    return { figures, jsonFile };
  } finally {
    await world.close();
  }
}
