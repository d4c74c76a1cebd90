import {
  listDeadLetters,
  settleDeadLetters,
  showDeadLetter,
  type LetterFilter,
  type LetterOutcome,
  type LetterRequest,
  type ListedDeadLetter,
  type ShownDeadLetter,
} from '@pgstream/assembly';
import { PipelineError } from '@pgstream/failure';
import type { Command } from 'commander';
import { invocationOf, type CliContext, type Done } from '../cli-context.ts';
import { addSettingFlags } from '../flags.ts';
import type { Printer } from '../output/printer.ts';
import { renderPairs, renderTable } from '../output/table.ts';

interface FilterFlags extends LetterFilter {
  readonly all?: true;
  readonly yes?: true;
  readonly limit: string;
}

const MAX_REASON = 80;

export function addDeadLetters(program: Command, context: CliContext, done: Done): void {
  const group = program
    .command('dead-letters')
    .description('what could not be delivered, with the reasons: look at it, try it again, give it up');
  addLs(group, context);
  addShow(group, context);
  addRetry(group, context, done);
  addDiscard(group, context, done);
}

function addLs(group: Command, context: CliContext): void {
  const command = group
    .command('ls', { isDefault: true })
    .description(
      'list dead letters, newest first: parked keys in the index pgstream-parked, records in the topic <topic>.dead-letters',
    )
    .option('--limit <n>', 'at most so many', '100');
  addFilters(command);
  command.action(async () => {
    const { request, printer } = invocation(command, context);
    const limit = limitOf(command.opts<FilterFlags>().limit);
    const { letters, total } = await listDeadLetters(request, filterOf(command), limit);
    printer.result(describeList(letters, total), { total, letters });
  });
}

function addShow(group: Command, context: CliContext): void {
  const command = group
    .command('show <id>')
    .description('everything that is kept of one letter: reason, code, position, document, record');
  addSettingFlags(command, 'kafka', 'search');
  command.action(async (id: string) => {
    const { request, printer } = invocation(command, context);
    const letter = await showDeadLetter(request, id);
    printer.result(describeLetter(letter), letter);
  });
}

function addRetry(group: Command, context: CliContext, done: Done): void {
  const command = group
    .command('retry [id...]')
    .description(
      'after a fix: write the newest state of parked keys, which then flow again; exit code 1 when something stays parked',
    )
    .option('--all', 'every letter');
  addFilters(command);
  command.action(async (ids: string[]) => settle(command, { context, done, ids, act: 'retry' }));
}

function addDiscard(group: Command, context: CliContext, done: Done): void {
  const command = group
    .command('discard [id...]')
    .description(
      'give letters up for ever; the target shows the rows as they were before, until they change again',
    )
    .option('--all', 'every letter')
    .option('--yes', 'do it: what is discarded is lost');
  addFilters(command);
  command.action(async (ids: string[]) => {
    if (command.opts<FilterFlags>().yes !== true) {
      throw new PipelineError('CONFIG_INVALID', {
        detail:
          'dead-letters discard loses what was parked: confirm with --yes (`ls` with the same filters shows it).',
      });
    }
    await settle(command, { context, done, ids, act: 'discard' });
  });
}

async function settle(
  command: Command,
  how: {
    readonly context: CliContext;
    readonly done: Done;
    readonly ids: readonly string[];
    readonly act: 'retry' | 'discard';
  },
): Promise<void> {
  const { ids, act, done } = how;
  const { request, printer } = invocation(command, how.context);
  const filter = filterOf(command);
  if (ids.length === 0 && Object.keys(filter).length === 0 && command.opts<FilterFlags>().all !== true) {
    throw new PipelineError('CONFIG_INVALID', {
      detail: `dead-letters ${act}: say which: ids, --sink, --schema, --table, --key, or --all.`,
    });
  }
  const told = (outcome: LetterOutcome) => {
    if (!printer.json) printer.note(describeOutcome(outcome));
  };
  const outcomes = await settleDeadLetters(request, { filter, ids }, { act, told });
  const counts = countsOf(outcomes);
  printer.result(describeCounts(counts), { counts, outcomes });
  if ((counts['refused'] ?? 0) + (counts['changed'] ?? 0) > 0) done.exitCode = 1;
}

function invocation(
  command: Command,
  context: CliContext,
): { readonly request: LetterRequest; readonly printer: Printer } {
  const { config, printer } = invocationOf(command, context, 'none');
  return { request: { config, productVersion: context.version }, printer };
}

function addFilters(command: Command): void {
  command
    .option('--sink <name>', 'of this sink: search, kafka')
    .option('--schema <name>', 'of this schema')
    .option('--table <name>', 'of this table')
    .option('--key <text>', 'of this key, as it is listed');
  addSettingFlags(command, 'kafka', 'search');
}

function filterOf(command: Command): LetterFilter {
  const { sink, schema, table, key } = command.opts<FilterFlags>();
  return {
    ...(sink === undefined ? {} : { sink }),
    ...(schema === undefined ? {} : { schema }),
    ...(table === undefined ? {} : { table }),
    ...(key === undefined ? {} : { key }),
  };
}

/** @throws {PipelineError} CONFIG_INVALID */
function limitOf(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new PipelineError('CONFIG_INVALID', { detail: `--limit is ${text}: a number from 1 to 9999999.` });
}

function describeList(letters: readonly ListedDeadLetter[], total: number): string {
  if (total === 0) return 'no dead letters';
  const rows = letters.map(
    ({ id, at, schema, table, identity, sink, code, coalesced, position, reason }) =>
      [
        id,
        at.slice(0, 19),
        table === '' ? null : `${schema}.${table}`,
        identity,
        sink,
        code,
        coalesced,
        position,
        oneLine(reason),
      ] as const,
  );
  const headers = ['id', 'parked at', 'table', 'key', 'sink', 'code', 'behind', 'position', 'reason'];
  const more = total > letters.length ? `, ${letters.length} shown: see --limit` : '';
  return `${renderTable(headers, rows)}\n${total} dead letters${more}`;
}

function describeLetter(letter: ShownDeadLetter): string {
  const { schema, table, lastReason, document, record } = letter;
  const pairs = renderPairs([
    ['id', letter.id],
    ['lies in', letter.store === 'index' ? 'the index pgstream-parked' : 'the topic of dead letters'],
    ['sink', letter.sink],
    ['code', letter.code],
    ['reason', letter.reason],
    ['table', table === '' ? null : `${schema}.${table}`],
    ['key', letter.identity],
    ['parked at', letter.at],
    ['first position', letter.firstPosition],
    ['position', letter.position],
    ['epoch', letter.epoch],
    ['changes behind it', letter.coalesced],
    ['attempts', letter.attempts],
    ['last reason', lastReason],
  ]);
  return `${pairs}\n\ndocument\n${document ?? '-'}\n\nrecord\n${record ?? '-'}`;
}

function describeOutcome({ letter, outcome, reason }: LetterOutcome): string {
  const { id, schema, table, identity } = letter;
  const what = [table === '' ? '' : `${schema}.${table}`, identity ?? '']
    .filter((part) => part !== '')
    .join(' ');
  return `${id}  ${what}  ${outcome}${reason === null ? '' : `: ${reason}`}`;
}

function countsOf(outcomes: readonly LetterOutcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

function describeCounts(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`);
  return parts.length === 0 ? 'no dead letters match' : parts.join(', ');
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON - 1)}…` : line;
}
