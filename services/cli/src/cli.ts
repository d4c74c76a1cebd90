import { PipelineError } from '@pgstream/failure';
import { exitCodeOf } from '@pgstream/service-runtime';
import { Command, CommanderError } from 'commander';
import { addCheck } from './commands/check.ts';
import { addDeadLetters } from './commands/dead-letters.ts';
import { addInit } from './commands/init.ts';
import { addLag } from './commands/lag.ts';
import { addRefusedCommands } from './commands/refused.ts';
import { addReplay } from './commands/replay.ts';
import { addRun } from './commands/run.ts';
import { addStatus } from './commands/status.ts';
import { addWebhooks } from './commands/webhooks/webhooks.ts';
import { addTearDown } from './commands/tear-down.ts';
import { addSettingFlags } from './flags.ts';
import { Printer } from './output/printer.ts';
import type { CliContext } from './cli-context.ts';

const EXAMPLES = `
Examples:
  pgstream init --postgres-url postgres://user:password@host/database
  pgstream run --postgres-url postgres://… --target opensearch --opensearch-url http://localhost:9200
  pgstream run -c pg2kafka.env          and, as often as there is work:  pgstream run -c kafka2os.env
  pgstream status --postgres-url postgres://… --json

Exit codes: 0 done, 1 a failure at run time, 78 what time cannot heal (settings, privileges, a lost slot).
Every setting: docs/configuration.md. Every error: docs/errors.md.`;

/** Runs one command line. @returns the exit code; the caller exits with it. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const done = { exitCode: 0 };
  const program = buildProgram(context, done);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return done.exitCode;
  } catch (error) {
    // Help and version end the parser this way too, with 0; everything else it complains about is a wrong command line.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 78;
    const json = program.opts()['json'] === true;
    new Printer(context.terminal, { json, color: true }).error(error);
    return error instanceof PipelineError ? exitCodeOf(error) : 1;
  }
}

/** The whole command line, for running and for printing its help. */
export function buildProgram(context: CliContext, done: { exitCode: number }): Command {
  const { terminal, version } = context;
  const program = new Command('pgstream')
    .description(
      'Streams the changes of a PostgreSQL database, data and schema, to Kafka, OpenSearch and files.',
    )
    .option('-c, --config <file>', 'settings from an .env or YAML file; environment and flags win over it')
    .option('--json', 'results as JSON')
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError(true)
    .showHelpAfterError('(pgstream --help, or pgstream <command> --help)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    });
  addSettingFlags(program, 'log');
  program.version(version, '-V, --version', 'print the version');
  for (const add of [
    addInit,
    addRun,
    addStatus,
    addCheck,
    addLag,
    addTearDown,
    addDeadLetters,
    addWebhooks,
    addReplay,
    addRefusedCommands,
  ]) {
    add(program, context, done);
  }
  program
    .command('version')
    .description('print the version')
    .action(() => void terminal.stdout.write(`${version}\n`));
  return program;
}
