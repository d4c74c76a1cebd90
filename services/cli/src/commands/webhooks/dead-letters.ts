import type { ShownLetter, Webhooks } from '@pgstream/assembly';
import { PipelineError } from '@pgstream/failure';
import type { Command } from 'commander';
import type { Printer } from '../../output/printer.ts';
import { renderTable } from '../../output/table.ts';
import { wholeNumber } from './numbers.ts';
import { onAction, type HookContext } from './hook-command.ts';

interface ChoiceFlags {
  readonly subscription?: string;
  readonly all?: true;
  readonly yes?: true;
}

interface Settled {
  readonly id: string;
  readonly outcome: 'retried' | 'discarded' | 'refused';
  /** `null`: it was done. */
  readonly reason: string | null;
}

export function addHookLetters(group: Command, hooks: HookContext): void {
  const letters = group
    .command('dead-letters')
    .description('events that an endpoint did not take in all attempts: look, send again, give up');
  addLs(letters, hooks);
  addSettling(letters, hooks, 'retry', 'park them again, due at once');
  addSettling(letters, hooks, 'discard', 'give them up for ever');
}

function addLs(group: Command, hooks: HookContext): void {
  const command = group
    .command('ls', { isDefault: true })
    .description('list dead letters, the oldest first')
    .option('--subscription <id>', 'of this subscription')
    .option('--limit <n>', 'at most so many', '100');
  onAction(command, hooks, async (api, printer) => {
    const { subscription: id, limit } = command.opts<ChoiceFlags & { readonly limit: string }>();
    const letters = await api.deadLetters({ limit: wholeNumber('--limit', limit, 1), id });
    printer.result(describe(letters), { letters });
  });
}

function addSettling(group: Command, hooks: HookContext, act: 'retry' | 'discard', what: string): void {
  const command = group
    .command(`${act} [id...]`)
    .description(`${what}; exit code 1 when one could not be found`)
    .option('--subscription <id>', 'all of this subscription')
    .option('--all', 'every one');
  if (act === 'discard') command.option('--yes', 'do it: what is discarded is lost');
  onAction(command, hooks, async (api, printer, ids: readonly string[]) => {
    const flags = command.opts<ChoiceFlags>();
    assertChosen(act, ids, flags);
    const chosen = ids.length > 0 ? ids : await idsOf(api, flags.subscription);
    const outcomes: Settled[] = [];
    // oxlint-disable-next-line no-await-in-loop -- in the order of the log
    for (const id of chosen) outcomes.push(await settled(api, printer, id, act));
    const refused = outcomes.filter(({ outcome }) => outcome === 'refused').length;
    const doneCount = outcomes.length - refused;
    const counts = [`${doneCount} ${act === 'retry' ? 'parked again' : 'discarded'}`];
    if (refused > 0) counts.push(`${refused} refused`);
    printer.result(outcomes.length === 0 ? 'no dead letters match' : counts.join(', '), { outcomes });
    if (refused > 0) hooks.done.exitCode = 1;
  });
}

function assertChosen(act: string, ids: readonly string[], { subscription, all, yes }: ChoiceFlags): void {
  if (ids.length === 0 && subscription === undefined && all !== true) {
    throw new PipelineError('CONFIG_INVALID', {
      detail: `webhooks dead-letters ${act}: say which: ids, --subscription, or --all.`,
    });
  }
  if (act === 'discard' && yes !== true) {
    throw new PipelineError('CONFIG_INVALID', {
      detail: 'webhooks dead-letters discard loses events for good: confirm with --yes (`ls` shows them).',
    });
  }
}

async function idsOf(api: Webhooks, id: string | undefined): Promise<readonly string[]> {
  return (await api.deadLetters({ limit: Infinity, id })).map((letter) => letter.id);
}

async function settled(
  api: Webhooks,
  printer: Printer,
  id: string,
  act: 'retry' | 'discard',
): Promise<Settled> {
  try {
    await api.settleDeadLetter(id, act);
    return { id, outcome: act === 'retry' ? 'retried' : 'discarded', reason: null };
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== 'WEBHOOK_API_REFUSED') throw error;
    const reason = error.detail ?? '';
    if (!printer.json) printer.note(`${id}  refused: ${reason}`);
    return { id, outcome: 'refused', reason };
  }
}

function describe(letters: readonly ShownLetter[]): string {
  if (letters.length === 0) return 'no dead letters';
  const rows = letters.map(
    ({ id, at, subscriptionId, partition, offset, eventId, attempts, reason }) =>
      [id, at.slice(0, 19), subscriptionId, partition, offset, eventId, attempts, reason] as const,
  );
  const headers = ['id', 'given up at', 'subscription', 'partition', 'offset', 'event', 'attempts', 'reason'];
  return `${renderTable(headers, rows)}\n${letters.length} dead letters`;
}
