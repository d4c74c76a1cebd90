import type { Command } from 'commander';
import type { CliContext, Done } from '../../cli-context.ts';
import { addAdd } from './add.ts';
import { addHookLetters } from './dead-letters.ts';
import { addHookReplay } from './replay.ts';
import { addSubscriptionCommands } from './subscriptions.ts';

export function addWebhooks(program: Command, context: CliContext, done: Done): void {
  const group = program
    .command('webhooks')
    .description('subscriptions of the notifier, through its API; ids may be cut short');
  const hooks = { context, done };
  addSubscriptionCommands(group, hooks);
  addAdd(group, hooks);
  addHookReplay(group, hooks);
  addHookLetters(group, hooks);
}
