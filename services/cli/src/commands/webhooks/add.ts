import type { NewSubscription, ShownMadeSubscription } from '@pgstream/assembly';
import { PipelineError } from '@pgstream/failure';
import type { Command } from 'commander';
import { renderPairs } from '../../output/table.ts';
import { wholeNumber } from './numbers.ts';
import { onAction, type HookContext } from './hook-command.ts';

interface AddFlags {
  readonly schema?: string;
  readonly table?: string;
  readonly operations?: string;
  readonly filter: readonly string[];
  readonly format?: NewSubscription['format'];
  readonly ordering?: NewSubscription['ordering'];
  readonly header: readonly string[];
  readonly description?: string;
  readonly maxInFlight?: string;
  readonly rate?: string;
  readonly timeout?: string;
  readonly secret?: string;
  readonly scheme?: NewSubscription['scheme'];
  readonly signed: boolean;
  readonly idempotencyKey?: string;
}

const collected = (one: string, before: readonly string[]): readonly string[] => [...before, one];

export function addAdd(group: Command, hooks: HookContext): void {
  const command = group
    .command('add <url>')
    .description('make a subscription; its secret is shown once, and no later event is missed')
    .option('--schema <glob>', 'events of these schemas')
    .option('--table <glob>', 'events of these tables')
    .option('--operations <list>', 'insert, update, delete, truncate, ddl, message; separated by commas')
    .option('--filter <json>', 'a filter as the API takes it; again for another one', collected, [])
    .option('--format <name>', 'pgstream, standard, cloudevents')
    .option('--ordering <name>', 'key, partition, none')
    .option('--header <name: value>', 'sent with every delivery; again for another one', collected, [])
    .option('--description <text>', 'for people')
    .option('--max-in-flight <n>', 'requests at a time')
    .option('--rate <n>', 'requests per second')
    .option('--timeout <ms>', 'of one request')
    .option('--secret <whsec_…>', 'one that the receiver has already')
    .option('--scheme <name>', 'v1: a shared secret; v1a: an ed25519 key, of which the public half is shown')
    .option('--no-signed', 'deliveries carry no signature')
    .option('--idempotency-key <text>', 'the same again makes no other subscription');
  onAction(command, hooks, async (api, printer, url: string) => {
    const flags = command.opts<AddFlags>();
    const made = await api.add({ url, ...membersOf(flags) }, flags.idempotencyKey);
    const pairs = renderPairs([['id', made.id], ['url', made.url], ['format', made.format], keyPair(made)]);
    printer.result(made.secret === null ? pairs : `${pairs}\nthe secret is not shown again`, made);
  });
}

function keyPair({ secret, publicKeys }: ShownMadeSubscription): readonly [string, string] {
  if (secret !== null) return ['secret', secret];
  const [publicKey] = publicKeys;
  return publicKey === undefined ? ['secret', 'none: deliveries are not signed'] : ['public key', publicKey];
}

/** What the flags say; what is wrong with a value the API knows. */
function membersOf(flags: AddFlags): Omit<NewSubscription, 'url'> {
  const { format, ordering, description, secret, scheme } = flags;
  const filters = filtersOf(flags);
  return {
    ...numbersOf(flags),
    ...(filters.length === 0 ? {} : { filters }),
    ...(format === undefined ? {} : { format }),
    ...(ordering === undefined ? {} : { ordering }),
    ...(description === undefined ? {} : { description }),
    ...(flags.header.length === 0 ? {} : { headers: headersOf(flags.header) }),
    ...(secret === undefined ? {} : { secret }),
    ...(scheme === undefined ? {} : { scheme }),
    ...(flags.signed ? {} : { signed: false }),
  };
}

function numbersOf({ maxInFlight, rate, timeout }: AddFlags): Omit<NewSubscription, 'url'> {
  return {
    ...(maxInFlight === undefined ? {} : { maxInFlight: wholeNumber('--max-in-flight', maxInFlight, 1) }),
    ...(rate === undefined ? {} : { ratePerSecond: rateOf(rate) }),
    ...(timeout === undefined ? {} : { timeoutMs: wholeNumber('--timeout', timeout, 1) }),
  };
}

function rateOf(text: string): number {
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text) && Number(text) > 0) return Number(text);
  throw new PipelineError('CONFIG_INVALID', {
    detail: `--rate is ${text}: a number above 0, as 0.5 or 100.`,
  });
}

type Filters = NonNullable<NewSubscription['filters']>;

function filtersOf({ schema, table, operations, filter }: AddFlags): Filters {
  const named = {
    ...(schema === undefined ? {} : { schema }),
    ...(table === undefined ? {} : { table }),
    ...(operations === undefined ? {} : { operations: operationsOf(operations) }),
  };
  return [...(Object.keys(named).length === 0 ? [] : [named]), ...filter.map(parsedFilter)];
}

function operationsOf(list: string): NonNullable<Filters[number]['operations']> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the API refuses by name what is none
  return list.split(/[\s,]+/).filter((name) => name !== '') as NonNullable<Filters[number]['operations']>;
}

function parsedFilter(json: string): Filters[number] {
  try {
    const filter: Filters[number] = JSON.parse(json);
    return filter;
  } catch (cause) {
    throw new PipelineError('CONFIG_INVALID', {
      cause,
      detail: '--filter: a filter is JSON, as {"table": "orders"}.',
    });
  }
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) return [name.trim(), value];
      // The line may be a credential.
      throw new PipelineError('CONFIG_INVALID', { detail: '--header: expected "Name: value".' });
    }),
  );
}
