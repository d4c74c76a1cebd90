import { loadPgstreamConfig, type ConfigNeed, type PgstreamConfig } from '@pgstream/assembly';
import type { Command } from 'commander';
import { assertNoRefusedFlags, givenFlags } from './flags.ts';
import { Printer } from './output/printer.ts';
import type { Terminal } from './terminal.ts';

export interface CliContext {
  readonly terminal: Terminal;
  readonly version: string;
  readonly migrationsDir: string;
}

/** What the process will exit with, once a command is done without throwing. */
export interface Done {
  exitCode: number;
}

export interface Invocation {
  readonly config: PgstreamConfig;
  readonly warnings: readonly string[];
  readonly given: ReadonlySet<string>;
  readonly printer: Printer;
}

/** Settings from file, environment and the flags of `command` and its parents. */
export function invocationOf(command: Command, context: CliContext, need: ConfigNeed): Invocation {
  assertNoRefusedFlags(command);
  const options = command.optsWithGlobals();
  const file: unknown = options['config'];
  const { terminal } = context;
  const { config, warnings, given } = loadPgstreamConfig({
    env: terminal.env,
    flags: givenFlags(command),
    need,
    ...(typeof file === 'string' ? { file } : {}),
  });
  const printer = new Printer(terminal, { json: options['json'] === true, color: !config.log.noColor });
  return { config, warnings, given, printer };
}
