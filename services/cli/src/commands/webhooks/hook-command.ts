import { openWebhooks, type Webhooks } from '@pgstream/assembly';
import type { Command } from 'commander';
import { invocationOf, type CliContext, type Done } from '../../cli-context.ts';
import { addSettingFlags } from '../../flags.ts';
import type { Printer } from '../../output/printer.ts';

/** What every command of the group gets. */
export interface HookContext {
  readonly context: CliContext;
  readonly done: Done;
}

/** Runs with the API that the settings and the flags of `command` name. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- each command has its own arguments
export function onAction<A extends readonly unknown[]>(
  command: Command,
  { context }: HookContext,
  run: (hooks: Webhooks, printer: Printer, ...args: A) => Promise<void>,
): void {
  addSettingFlags(command, 'webhooks');
  command.action(async (...args: unknown[]) => {
    const { config, printer } = invocationOf(command, context, 'none');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the command declares its arguments
    await run(openWebhooks(config), printer, ...(args as unknown as A));
  });
}
