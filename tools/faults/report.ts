import { writeFileSync } from 'node:fs';
import { CHECKS, type CheckLetter } from '@pgstream/test-kit';
import { seconds, type Check } from '../product/screen.ts';
import { FAULTS } from './matrix.ts';
import { passed, violationsOf, type FaultResult } from './run-fault.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a Record
const LETTERS = Object.keys(CHECKS) as CheckLetter[];
const MAX_TEXT = 240;
const WIDTH = Math.max(...FAULTS.map(({ name }) => name.length));

export function printHead(seeds: readonly number[]): void {
  console.log(`seeds ${seeds.join(', ')}`);
  for (const letter of LETTERS) console.log(`  ${letter}  ${CHECKS[letter]}`);
  console.log('');
}

/** One line for all seeds of a fault; what went wrong is listed below it. */
export function printFault(results: readonly FaultResult[]): void {
  const [first] = results;
  if (first === undefined) return;
  const marks = LETTERS.map((letter) => `${letter}${mark(results, letter)}`).join(' ');
  const took = results.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const healed = Math.max(...results.map(({ caughtUpMs }) => caughtUpMs ?? Infinity));
  const counts = results.reduce((sum, { transactions }) => sum + transactions, 0);
  const { expects, name } = first.fault;
  const how = expects.kind === 'stops' ? `stops ${expects.code}` : 'resumes';
  const figures = `${String(counts).padStart(5)} tx  healed ${seconds(healed).padStart(7)}  ${seconds(took).padStart(7)}`;
  console.log(`${results.every(passed) ? '✔' : '✘'} ${name.padEnd(WIDTH)}  ${marks}  ${figures}  ${how}`);
  for (const result of results) {
    if (result.broken !== null) console.log(`    seed ${result.seed} could not be run: ${result.broken}`);
    for (const letter of LETTERS) {
      for (const text of violationsOf(result, letter))
        console.log(`    seed ${result.seed} ${letter}: ${text.slice(0, MAX_TEXT)}`);
    }
  }
}

function mark(results: readonly FaultResult[], letter: CheckLetter): string {
  if (results.some(({ broken }) => broken !== null)) return '?';
  return results.every((result) => violationsOf(result, letter).length === 0) ? '✔' : '✘';
}

/** A check per fault and letter: how many contradictions over all seeds. */
export function checksOf(results: readonly FaultResult[]): Check[] {
  const names = [...new Set(results.map(({ fault }) => fault.name))];
  return names.flatMap((name) => {
    const mine = results.filter(({ fault }) => fault.name === name);
    return LETTERS.map((letter) => {
      const broken = mine.filter((result) => result.broken !== null).length;
      const value = mine.reduce((sum, result) => sum + violationsOf(result, letter).length, broken);
      const label = `${name}: ${letter} ${CHECKS[letter]} (seeds ${mine.map(({ seed }) => seed).join(', ')})`;
      return { name: label, value, unit: 'violations', target: 0, pass: value === 0 };
    });
  });
}

/** `docs/reliability-run.md` is written by it. */
export function writeMarkdown(file: string, results: readonly FaultResult[]): void {
  const run = new Set(results.map(({ fault }) => fault.name));
  const names = FAULTS.map(({ name }) => name).filter((name) => run.has(name));
  const rows = names.map((name) => {
    const mine = results.filter(({ fault }) => fault.name === name);
    const marks = LETTERS.map((letter) => mark(mine, letter)).join(' | ');
    const [transactions, records] = [total(mine, 'transactions'), total(mine, 'records')];
    const slowest = Math.max(...mine.map(({ caughtUpMs }) => caughtUpMs ?? Infinity));
    return `| \`${name}\` | ${marks} | ${transactions} | ${records} | ${seconds(slowest)} |`;
  });
  const seeds = [...new Set(results.map(({ seed }) => seed))].toSorted((a, b) => a - b).join(', ');
  const good = results.filter(passed).length;
  const text = [
    '# The last complete run of the fault suite',
    '',
    '<!-- Printed by `npm run faults -- --markdown FILE`. Do not edit. -->',
    '',
    `${new Date().toISOString().slice(0, 10)}, seeds ${seeds}: ${names.length} faults, ${good} of ${results.length} runs kept every promise. Transactions and records are sums over the seeds; healed is the longest time from the end of the fault until everything was in its place. [reliability.md](reliability.md) says what each fault and each check is.`,
    '',
    `| Fault | ${LETTERS.join(' | ')} | Transactions | Records | Healed |`,
    `| --- | ${LETTERS.map(() => '---').join(' | ')} | --- | --- | --- |`,
    ...rows,
    '',
  ];
  writeFileSync(file, text.join('\n'));
}

function total(results: readonly FaultResult[], figure: 'transactions' | 'records'): number {
  return results.reduce((sum, result) => sum + result[figure], 0);
}

export function writeJson(file: string, checks: readonly Check[]): void {
  writeFileSync(file, `${JSON.stringify({ checks }, null, 2)}\n`);
}
