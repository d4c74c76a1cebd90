import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDir } from '@pgstream/test-kit';

/** https://pypi.org/project/schemathesis: its command line is that of 4.x. */
const VERSION = '4.32.5';
const USAGE = `usage: npm run schemathesis -- --url http://localhost:9900/v1/openapi.json [--token TOKEN] [--examples N] [--seed N]
The notifier at that address is attacked: give it a store and endpoints that nobody needs. The token is that of
PGSTREAM_WEBHOOK_API_TOKEN, by default from the environment.`;
/** As of automake and TAP: nothing was tested, which is neither success nor failure. */
const SKIPPED = 77;

interface Options {
  readonly url: string;
  readonly token: string;
  readonly examples: string;
  readonly seed: string;
}

/** Attacks the API by its own OpenAPI document. @returns 0 without a 5xx, 77 where there is no Python. */
function main(args: readonly string[]): number {
  const options = optionsOf(args);
  if (options === undefined) {
    console.error(USAGE);
    return 78;
  }
  const program = installed();
  if (program === undefined) return SKIPPED;
  const { url, token, examples, seed } = options;
  const { status, error } = spawnSync(
    program,
    [
      'run',
      url,
      '--checks=not_a_server_error',
      '--phases=examples,coverage,fuzzing',
      '--mode=all',
      `--max-examples=${examples}`,
      `--seed=${seed}`,
      `--header=Authorization: Bearer ${token}`,
      // Nobody is called for it, whatever becomes of the attack.
      '--exclude-path-regex=/test$',
      '--request-timeout=20',
    ],
    // It keeps what it found beside where it runs.
    { stdio: 'inherit', cwd: cacheDir() },
  );
  if (error !== undefined) throw error;
  return status ?? 1;
}

/** The program in an environment of its own below the cache; `undefined`, said aloud, where it cannot be made. */
function installed(): string | undefined {
  const home = join(cacheDir(), `schemathesis-${VERSION}`);
  const program = join(home, 'bin', 'schemathesis');
  if (existsSync(program)) return program;
  const python = ['python3', 'python'].find((name) => succeeds(name, ['-c', 'import venv, ensurepip']));
  if (python === undefined) return skip('there is no Python 3 with venv and pip on this machine');
  mkdirSync(cacheDir(), { recursive: true });
  if (!succeeds(python, ['-m', 'venv', home])) return skip(`python could not make ${home}`);
  console.log(`installing schemathesis ${VERSION} …`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `schemathesis==${VERSION}`];
  const isThere = succeeds(join(home, 'bin', 'python'), pip, 'inherit') && existsSync(program);
  return isThere ? program : skip(`pip could not install schemathesis ${VERSION}`);
}

function skip(why: string): undefined {
  const line = '='.repeat(72);
  console.error(`${line}\nSKIPPED: the API was not attacked by schemathesis: ${why}.\n${line}`);
  return undefined;
}

function succeeds(
  program: string,
  args: readonly string[],
  stderr: 'ignore' | 'inherit' = 'ignore',
): boolean {
  return spawnSync(program, args, { stdio: ['ignore', 'ignore', stderr] }).status === 0;
}

function optionsOf(args: readonly string[]): Options | undefined {
  try {
    const options = {
      url: { type: 'string' },
      token: { type: 'string', default: process.env['PGSTREAM_WEBHOOK_API_TOKEN'] ?? '' },
      examples: { type: 'string', default: '50' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    } as const;
    const { url, ...rest } = parseArgs({ args: [...args], options }).values;
    const areNumbers = /^\d+$/.test(rest.examples) && /^\d+$/.test(rest.seed);
    return url === undefined || !URL.canParse(url) || !areNumbers ? undefined : { url, ...rest };
  } catch {
    return undefined;
  }
}

process.exitCode = main(process.argv.slice(2));
