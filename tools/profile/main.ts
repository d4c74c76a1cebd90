import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDir, MissingToolError, requireJava } from '@pgstream/test-kit';
import { startBenchWorld } from '../bench/bench-world.ts';
import { PARTS, profileMainPath, type ProfileOptions } from './main-path.ts';

const USAGE = `usage: npm run profile -- [main-path] [--part ${PARTS.join(' | ')}] [--out DIR] [--rows N]

Leaves flame graphs of CPU and of allocations, one page each, and the profiles they were made from. --rows takes a multiple
of 200: fewer rows than usual, to try things out.`;

/** `undefined` for a command line that says nothing known. */
function wantedBy(args: readonly string[]): ProfileOptions | undefined {
  try {
    const options = { part: { type: 'string' }, out: { type: 'string' }, rows: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [what = 'main-path', ...more] = positionals;
    const parts = PARTS.filter((part) => values.part === undefined || values.part === part);
    if (what !== 'main-path' || more.length > 0 || parts.length === 0) return undefined;
    return { parts, rows: rowsOf(values.rows), dir: values.out ?? join(cacheDir(), 'profile') };
  } catch {
    return undefined;
  }
}

/** @throws {RangeError} for what is no multiple of 200 */
function rowsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const rows = Number(text);
  if (!(rows > 0) || rows % 200 !== 0) throw new RangeError(`--rows ${text}`);
  return rows;
}

async function main(): Promise<number> {
  const wanted = wantedBy(process.argv.slice(2));
  if (wanted === undefined) {
    console.error(USAGE);
    return 78;
  }
  requireJava();
  const world = await startBenchWorld();
  try {
    await profileMainPath(world, wanted);
  } finally {
    await world.close();
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof MissingToolError ? error.message : error);
  process.exitCode = 1;
}
