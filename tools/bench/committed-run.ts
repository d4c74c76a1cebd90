import { existsSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import type { Check } from '../product/screen.ts';

/** What stands beside the figures in the file of a run. */
export interface RunFacts {
  readonly measuredOn: string;
  readonly machine: {
    readonly cpu?: string | undefined;
    readonly cores: number;
    readonly memoryGb: number;
    readonly node: string;
  };
}

export function runFacts(): RunFacts {
  const [cpu] = cpus();
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  const machine = { cpu: cpu?.model, cores: cpus().length, memoryGb, node: process.version };
  return { measuredOn: new Date().toISOString().slice(0, 10), machine };
}

/** `docs/performance/NAME.json`, or `undefined` where no such run is committed. The figures beside the facts are NAME's. */
export function committedRun(name: string): RunFacts | undefined {
  const file = join(workspaceRoot(), 'docs/performance', `${name}.json`);
  if (!existsSync(file)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the bench
  return JSON.parse(readFileSync(file, 'utf8')) as RunFacts;
}

/** @param command that made the run, without `--json` */
export function measuredSentence({ measuredOn, machine }: RunFacts, command: string): string {
  const { cpu = 'unknown CPU', cores, memoryGb, node } = machine;
  return `Measured on ${measuredOn} by \`npm run bench -- ${command} --json docs/performance/${command}.json\` on ${cores} cores (${cpu}), ${memoryGb} GB, Node ${node}, servers and product on the same cores.`;
}

export function checksTable(checks: readonly Check[]): string {
  return table(
    ['', 'Figure', 'Target', 'Met'],
    checks.map(({ name, value, unit, target, pass }) => [
      name,
      `${value.toFixed(2)} ${unit}`,
      `${target} ${unit}`,
      pass ? 'yes' : '**no**',
    ]),
  );
}

export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
