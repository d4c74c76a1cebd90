// Counts what one subject allocates: `node --expose-gc --predictable --min-semi-space-size=… measure.ts NAME`. Prints JSON.
import { SUBJECTS } from './subjects.ts';

const ROWS = 20_000;
const WARM_UP_RUNS = 12;
const RUNS = 5;

const subject = SUBJECTS.find(({ name }) => name === process.argv[2]);
const { gc } = globalThis;
if (subject === undefined || gc === undefined) throw new Error('usage: see the first line');

const [once, twice] = [subject.prepare(ROWS), subject.prepare(2 * ROWS)];
// compiled code allocates less than interpreted code: numbers in registers, objects that never escape
for (let i = 0; i < WARM_UP_RUNS; i++) for (const run of [once, twice]) await run();
// what a run allocates whatever its length, buffers above all, is in both
const counts: number[] = [];
for (let i = 0; i < RUNS; i++) counts.push(((await bytesOf(twice)) - (await bytesOf(once))) / ROWS);
console.log(JSON.stringify({ bytesPerRow: Math.round(Math.min(...counts) * 100) / 100 }));

async function bytesOf(run: () => void | Promise<void>): Promise<number> {
  gc?.();
  const before = allocated();
  await run();
  return allocated() - before;
}

/** The young generation is so large that nothing is collected during a run: what is there was allocated. */
function allocated(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
