import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { MissingToolError, requireJava } from '@pgstream/test-kit';
import { mainPath, type Figures } from './main-path.ts';

const USAGE = 'usage: npm run bench -- main-path [--json FILE]';
const args = process.argv.slice(2);
const jsonFile = args.includes('--json') ? args[args.indexOf('--json') + 1] : undefined;
const [suite = 'main-path', ...rest] = args.filter((arg, i) => arg !== '--json' && args[i - 1] !== '--json');

async function main(): Promise<number> {
  if (suite !== 'main-path' || rest.length > 0) {
    console.error(USAGE);
    return 78;
  }
  requireJava();
  const figures = await mainPath();
  print(figures);
  const [cpu] = cpus();
  const machine = {
    cpu: cpu?.model,
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  if (jsonFile !== undefined)
    writeFileSync(jsonFile, `${JSON.stringify({ ...figures, machine }, null, 2)}\n`);
  return figures.checks.every((check) => check.pass) ? 0 : 1;
}

function print({ drains, indexing, freshness, checks }: Figures): void {
  console.log('\nslot to Kafka (narrow)   rows/s   CPU µs/row   peak RSS MB');
  for (const drain of drains) {
    const rss = Number.isNaN(drain.peakRssMb) ? '–' : drain.peakRssMb.toFixed(0);
    console.log(row(drain.system, drain.rowsPerS.toFixed(0), drain.cpuUsPerRow.toFixed(2), rss));
  }
  console.log('\nKafka to search (wide)   docs/s   CPU µs/doc');
  for (const entry of indexing)
    console.log(row(entry.system, entry.docsPerS.toFixed(0), entry.cpuUsPerDoc.toFixed(2)));
  const { p50Ms, p90Ms, p99Ms, maxMs } = freshness;
  const texts = [p50Ms, p90Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1));
  console.log(
    `\ncommit to _search at 100/s: p50 ${texts[0]}, p90 ${texts[1]}, p99 ${texts[2]}, max ${texts[3]} ms\n`,
  );
  for (const { name, value, unit, target, pass } of checks) {
    console.log(
      `${pass ? '✔' : '✘'} ${name.padEnd(52)} ${value.toFixed(2).padStart(8)} ${unit}  (target ${target})`,
    );
  }
}

function row(name: string, ...figures: readonly string[]): string {
  return `${name.padEnd(22)}${figures.map((figure) => figure.padStart(10)).join('  ')}`;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof MissingToolError ? error.message : error);
  process.exitCode = 1;
}
