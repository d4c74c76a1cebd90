import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MissingToolError, stackEnvironment, startStack, stopStack, workspaceRoot } from '@pgstream/test-kit';
import { MUTANTS, type Mutant } from './mutants.ts';

const NAME = 'mutants';
const USAGE =
  'usage: npm run mutants [-- --json FILE] [WORD …]   only mutants with one of the words in their name';
const root = workspaceRoot();

type Verdict = 'caught' | 'survived' | 'no verdict';

/** Breaks the product on purpose, one line at a time, and sees whether the test named for it fails. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'string' } },
    allowPositionals: true,
  });
  const chosen = MUTANTS.filter(({ name }) => positionals.every((word) => name.includes(word)));
  if (chosen.length === 0) {
    console.error(`no mutant has these words in its name\n${USAGE}`);
    return 78;
  }
  const env = await environment(chosen);
  try {
    const verdicts = chosen.map((mutant) => {
      const verdict = verdictOn(mutant, env);
      console.log(
        `${verdict === 'caught' ? '✔' : '✘'} ${verdict.padEnd(10)} ${mutant.name}  (${mutant.test})`,
      );
      return verdict;
    });
    const caught = verdicts.filter((verdict) => verdict === 'caught').length;
    console.log(`\n${caught} of ${chosen.length} mutants were caught by the test named for them`);
    if (values.json !== undefined) {
      const checks = chosen.map(({ name }, i) => {
        const value = verdicts[i] === 'caught' ? 1 : 0;
        return { name, value, unit: 'caught', target: 1, pass: value === 1 };
      });
      writeFileSync(values.json, `${JSON.stringify({ checks }, null, 2)}\n`);
    }
    return caught === chosen.length ? 0 : 1;
  } finally {
    await stopStack(NAME);
  }
}

/** Servers given by variables are used as they are; others are started where a test needs them. */
async function environment(chosen: readonly Mutant[]): Promise<NodeJS.ProcessEnv> {
  const needsServers = chosen.some(({ test }) => test.includes('.integration.'));
  if (!needsServers || process.env['TEST_PG_URL'] !== undefined) return process.env;
  const stack = await startStack({
    name: NAME,
    postgres: [15, 16, 17, 18],
    java: true,
    onStep: (text) => console.error(`starting ${text} …`),
  });
  return { ...process.env, ...stackEnvironment(stack) };
}

function verdictOn(mutant: Mutant, env: NodeJS.ProcessEnv): Verdict {
  // A break that no test notices says nothing about a test that fails anyway.
  if (failures(mutant, env) !== 0) return 'no verdict';
  const path = join(root, mutant.file);
  const sound = readFileSync(path, 'utf8');
  const restore = () => writeFileSync(path, sound);
  const onSignal = () => {
    restore();
    process.exit(1);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal);
  try {
    writeFileSync(path, sound.replace(mutant.from, mutant.to));
    const failed = failures(mutant, env);
    if (failed === undefined) return 'no verdict';
    return failed > 0 ? 'caught' : 'survived';
  } finally {
    restore();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  }
}

/** How many tests failed; `undefined` where none ran. A run that hangs counts as failed. */
function failures({ test, named }: Mutant, env: NodeJS.ProcessEnv): number | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'pgstream-mutant-'));
  const report = join(dir, 'report.json');
  const config = test.includes('.integration.') ? 'jest.integration.config.cjs' : 'jest.config.cjs';
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const flags = ['-c', config, '--forceExit', '--json', `--outputFile=${report}`, test, '-t', `^${named}`];
  try {
    const run = spawnSync(process.execPath, [jest, ...flags], {
      cwd: root,
      env,
      stdio: 'ignore',
      timeout: 180_000,
    });
    if (run.error !== undefined) return 1;
    const { numPassedTests: passed, numFailedTests: failed }: Record<string, number> = Object(
      JSON.parse(readFileSync(report, 'utf8')),
    );
    return (passed ?? 0) + (failed ?? 0) === 0 ? undefined : failed;
  } catch {
    return undefined;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof MissingToolError ? error.message : error);
  process.exitCode = 1;
}
