import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MissingToolError, stackEnvironment, startStack, stopStack, workspaceRoot } from '@pgstream/test-kit';

const NAME = 'test';
const root = workspaceRoot();
const bin = (name: string) => join(root, 'node_modules', name);

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

/** `npm test [-- --unit | PATTERN …]`: types, lint, unit tests, then integration tests against real servers. */
async function main(args: readonly string[]): Promise<number> {
  const jsonFile = valueAfter(args, '--json');
  const patterns = args.filter((arg, i) => !arg.startsWith('--') && args[i - 1] !== '--json');
  const outcomes: Outcome[] = [];
  if (patterns.length === 0) {
    outcomes.push(await step('lint', bin('oxlint/bin/oxlint'), ['--type-aware', '--deny-warnings']));
    outcomes.push(
      await step('format', bin('prettier/bin/prettier.cjs'), ['--check', '--log-level=warn', '.']),
    );
  }
  outcomes.push(await jest('unit', 'jest.config.cjs', patterns, {}));
  if (!args.includes('--unit')) outcomes.push(await integration(patterns));
  return report(outcomes, jsonFile);
}

async function integration(patterns: readonly string[]): Promise<Outcome> {
  // servers given by variables are used as they are: TEST_PG_URL and the others of test-kit's endpoints()
  if (process.env['TEST_PG_URL'] !== undefined)
    return jest('integration', 'jest.integration.config.cjs', patterns, {});
  try {
    const stack = await startStack({
      name: NAME,
      postgres: [15, 16, 17, 18],
      java: true,
      onStep: (text) => console.error(`starting ${text} …`),
    });
    return await jest('integration', 'jest.integration.config.cjs', patterns, stackEnvironment(stack));
  } catch (error) {
    console.error(error instanceof MissingToolError ? error.message : error);
    return { name: 'integration', passed: 0, failed: 1, seconds: 0 };
  } finally {
    await stopStack(NAME);
  }
}

async function jest(
  name: string,
  config: string,
  patterns: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'pgstream-test-'));
  const file = join(dir, 'result.json');
  // A failed test may leave a socket behind; the run must end all the same, and say what failed.
  const flags = [
    '-c',
    config,
    '--forceExit',
    '--passWithNoTests',
    '--json',
    `--outputFile=${file}`,
    ...patterns,
  ];
  const startedAt = performance.now();
  const status = await run([bin('jest/bin/jest.js'), ...flags], env);
  const seconds = (performance.now() - startedAt) / 1000;
  try {
    const result: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const passed = field(result, 'numPassedTests');
    // a file that cannot be loaded has no tests to fail, and a run that ends badly with none failed is no success
    const failed = field(result, 'numFailedTests') + field(result, 'numRuntimeErrorTestSuites');
    return { name, passed, failed: Math.max(failed, status === 0 ? 0 : 1), seconds };
  } catch {
    return { name, passed: 0, failed: 1, seconds };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function step(name: string, script: string, flags: readonly string[]): Promise<Outcome> {
  const startedAt = performance.now();
  const status = await run([script, ...flags], {});
  const seconds = (performance.now() - startedAt) / 1000;
  return { name, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, seconds };
}

let child: ReturnType<typeof spawn> | undefined;

function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve) => {
    child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    child.on('exit', (status) => resolve(status ?? 1));
  });
}

function report(outcomes: readonly Outcome[], jsonFile: string | undefined): number {
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
  for (const { name, seconds, ...counts } of outcomes) {
    console.log(
      '%s %d passed, %d failed, %d s',
      name.padEnd(12),
      counts.passed,
      counts.failed,
      Math.round(seconds),
    );
  }
  if (jsonFile !== undefined) {
    const checks = outcomes.map(({ name, failed: value }) => ({
      name,
      value,
      unit: 'failed',
      target: 0,
      pass: value === 0,
    }));
    writeFileSync(jsonFile, `${JSON.stringify({ checks }, null, 2)}\n`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

function field(value: unknown, name: string): number {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Jest's own report
  return Number((value as Record<string, unknown>)[name] ?? 0);
}

function valueAfter(args: readonly string[], flag: string): string | undefined {
  const at = args.indexOf(flag);
  return at < 0 ? undefined : args[at + 1];
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    child?.kill('SIGKILL');
    void stopStack(NAME).finally(() => process.exit(1));
  });
}
process.exitCode = await main(process.argv.slice(2));
