import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import type { Check } from '../../product/screen.ts';
import { SUBJECTS, type Subject } from './subjects.ts';

const DIR = join(workspaceRoot(), 'tools/bench/micro');
const BASELINE = join(DIR, 'baseline.json');
/** One thread, so that the same code is compiled at the same moment of every run: the counts are exact. */
const FLAGS = [
  '--conditions=@pgstream/source',
  '--disable-warning=ExperimentalWarning',
  '--expose-gc',
  '--predictable',
  '--min-semi-space-size=256',
  '--max-semi-space-size=512',
];
const GROWTH = 1.1;
/** Below this a change of the engine is more than a change of ours. */
const SLACK_BYTES = 2;

/** Bytes that a row of this subject allocates. @throws {Error} with what the process said when it fails */
export function count({ name }: Subject): number {
  const result = spawnSync(process.execPath, [...FLAGS, join(DIR, 'measure.ts'), name], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${name}\n${result.stderr}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the process's own line
  return (JSON.parse(result.stdout) as { bytesPerRow: number }).bytesPerRow;
}

/** What was counted when it was last looked at, by subject. */
export function baseline(): Readonly<Record<string, number>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written below
  return JSON.parse(readFileSync(BASELINE, 'utf8')) as Record<string, number>;
}

/** What a subject may allocate: a tenth more than it did. */
export function limitOf({ name }: Subject): number {
  const { [name]: known } = baseline();
  if (known === undefined) throw new Error(`${name} has no baseline: npm run bench -- micro --update`);
  return Math.round((known * GROWTH + SLACK_BYTES) * 100) / 100;
}

/** Counts every subject; `update` makes the counts the new baseline. */
export function micro(update: boolean): Check[] {
  const counts = SUBJECTS.map((subject) => ({ subject, value: count(subject) }));
  if (update) {
    const entries = counts.map(({ subject, value }) => [subject.name, value]);
    writeFileSync(BASELINE, `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`);
  }
  return counts.map(({ subject, value }) => {
    const target = limitOf(subject);
    return { name: `${subject.name}: ${subject.what}`, value, unit: 'B/row', target, pass: value <= target };
  });
}
