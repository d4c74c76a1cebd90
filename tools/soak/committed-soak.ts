import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import type { RunFacts } from '../bench/committed-run.ts';
import { checkTable, thousands } from '../bench/markdown.ts';
import { linePlot, type Tick } from '../bench/plots/line-plot.ts';
import type { Check } from '../product/screen.ts';

/** What `npm run soak -- --json FILE` writes. */
export interface CommittedSoak extends RunFacts {
  readonly checks: readonly Check[];
  readonly minutes: number;
  /** The first one; each era has the next. */
  readonly seed: number;
  readonly eras: number;
  readonly transactions: number;
  readonly records: number;
  readonly kills: number;
  readonly faults: number;
  /** Written by hand: what became of what the run showed. */
  readonly notes?: readonly string[];
  /** Resident size of the processes that nobody kills, a point a minute. */
  readonly memory: ReadonlyArray<{
    readonly name: string;
    readonly points: ReadonlyArray<readonly [minute: number, mib: number]>;
  }>;
}

const PLOT = 'reliability/soak-memory.svg';

/** The section of `docs/reliability.md` about the run of `docs/reliability/soak.json`. */
export function soakParts(): string[] {
  const run = committedSoak();
  if (run === undefined) return [];
  const { measuredOn, minutes, seed, eras, transactions, records, kills, faults, machine } = run;
  return [
    '## The last soak',
    `${measuredOn}, \`npm run soak -- --minutes ${minutes} --seed ${seed} --json docs/reliability/soak.json\` on ${machine.cores} cores: ${thousands(kills)} kills and ${thousands(faults)} other faults in ${eras} eras of a minute, ${thousands(transactions)} transactions, ${thousands(records)} records in the log. Each era is judged by all checks; memory is of processes that live through the whole of it, behind its first third.`,
    checkTable(run.checks),
    ...(run.notes ?? []),
    ...(run.memory.length === 0 ? [] : [`![Resident size over the soak](${PLOT})`]),
  ];
}

/** File name below `docs/` to content. */
export function soakPlots(): ReadonlyMap<string, string> {
  const run = committedSoak();
  if (run === undefined || run.memory.length === 0) return new Map();
  const most = Math.max(...run.memory.flatMap(({ points }) => points.map(([, mib]) => mib)));
  const plot = linePlot({
    title: 'Resident size of processes that nobody kills',
    x: { name: 'minutes', scale: 'linear', ticks: ticks(run.minutes, 10) },
    y: { name: 'MiB', scale: 'linear', ticks: ticks(most, 50) },
    series: run.memory,
  });
  return new Map([[PLOT, plot]]);
}

function ticks(to: number, step: number): Tick[] {
  const count = Math.ceil(to / step) + 1;
  return Array.from({ length: count }, (_, i) => ({ at: i * step, label: String(i * step) }));
}

function committedSoak(): CommittedSoak | undefined {
  const file = join(workspaceRoot(), 'docs/reliability/soak.json');
  if (!existsSync(file)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the soak
  return JSON.parse(readFileSync(file, 'utf8')) as CommittedSoak;
}
