import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import { machineFacts, type Machine } from './machine.ts';

/** What stands beside the figures in the file of a run. */
export interface RunFacts {
  readonly measuredOn: string;
  readonly machine: Machine;
  /** Cores that the host gave to others meanwhile; runs before that was noted have none. */
  readonly stolenCores?: number;
}

export function runFacts(): RunFacts {
  return { measuredOn: new Date().toISOString().slice(0, 10), machine: machineFacts() };
}

/** `docs/performance/NAME.json`, or `undefined` where no such run is committed. The figures beside the facts are NAME's. */
export function committedRun(name: string): RunFacts | undefined {
  const file = join(workspaceRoot(), 'docs/performance', `${name}.json`);
  if (!existsSync(file)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the bench
  return JSON.parse(readFileSync(file, 'utf8')) as RunFacts;
}

/** @param command that made the run, without `--json` */
export function measuredSentence({ measuredOn, machine, stolenCores }: RunFacts, command: string): string {
  const { cpu = 'unknown CPU', cores, memoryGb, node } = machine;
  const stolen = stolenCores === undefined ? '' : ` The host took ${stolenCores.toFixed(2)} cores meanwhile.`;
  return `Measured on ${measuredOn} by \`npm run bench -- ${command} --json docs/performance/${command}.json\` on ${cores} cores (${cpu}), ${memoryGb} GB, Node ${node}, servers and product on the same cores.${stolen}`;
}
