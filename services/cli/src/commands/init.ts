import { createInterface } from 'node:readline/promises';
import { initDatabase, type InitRequest, type InitResult } from '@pgstream/assembly';
import type { Command } from 'commander';
import { invocationOf, type CliContext, type Invocation } from '../cli-context.ts';
import { addRefusedFlags, addSettingFlags } from '../flags.ts';
import { renderTable } from '../output/table.ts';

interface InitOptions {
  readonly keyless?: 'full';
  readonly setIdentity?: boolean;
  readonly allowForeignPublication?: boolean;
  readonly migrationsOnly?: boolean;
  readonly slotOnly?: boolean;
  readonly newEpoch?: boolean;
  readonly acceptGap?: boolean;
  readonly acceptTimeline?: boolean;
  readonly failover?: boolean;
}

export function addInit(program: Command, context: CliContext): void {
  const command = program
    .command('init')
    .description(
      'prepare the database: schema pgstream, triggers, publication, replication slot; safe to repeat',
    )
    .option(
      '--keyless <full>',
      'set REPLICA IDENTITY FULL on tables without a key (their UPDATE would fail otherwise)',
      asFull,
    )
    .option('--set-identity', 'use a UNIQUE NOT NULL index as replica identity where there is one')
    .option(
      '--allow-foreign-publication',
      "go on although somebody's publication would carry schema pgstream",
    )
    .option('--migrations-only', 'schema and triggers only')
    .option('--slot-only', 'the slot only')
    .option('--failover', 'the slot survives a failover to a standby that synchronises slots (PostgreSQL 17)')
    .option('--new-epoch', 'the log positions of the server start over: make a new slot')
    .option('--accept-timeline', 'go on after a failover in which nothing was lost')
    .option('--accept-gap', 'changes are lost: record the gap and go on with a new slot')
    .option('--with-injector', 'known from the original; schema records are always produced');
  addSettingFlags(command, 'postgres', 'admin');
  addRefusedFlags(command);
  command.action(async () => {
    const invocation = invocationOf(command, context, 'postgres');
    const result = await initialise(invocation, context, command.opts<InitOptions>());
    invocation.printer.result(describe(result), result);
  });
}

function asFull(text: string): 'full' {
  if (text !== 'full') throw new TypeError('--keyless accepts only: full');
  return 'full';
}

/** Also what `run --init` does. */
export async function initialise(
  { config, printer }: Invocation,
  context: CliContext,
  options: InitOptions,
): Promise<InitResult> {
  const { stdin, stdout } = context.terminal;
  const mayAsk = stdin.isTTY === true && stdout.isTTY === true && !printer.json;
  const request: InitRequest = {
    migrationsDir: context.migrationsDir,
    keyless: options.keyless ?? (mayAsk ? 'ask' : 'stop'),
    confirm: async (tables) => {
      printer.note(
        'These tables have no key that identifies a row. Published, their UPDATE and DELETE would fail:',
      );
      printer.note(
        renderTable(
          ['table', 'reason', 'remedy'],
          tables.map((one) => [`${one.schema}.${one.table}`, one.reason, one.fix]),
        ),
      );
      return await agrees(context, 'Set REPLICA IDENTITY as shown? [y/N] ');
    },
    onWaiting: (blockers) => {
      printer.note(`waiting for transactions that are older than the slot: ${blockers.join(', ')}`);
    },
    ...flagsOf(options),
  };
  return await initDatabase(config, request);
}

function flagsOf(options: InitOptions): Partial<InitRequest> {
  const { migrationsOnly, slotOnly } = options;
  return {
    setIdentity: options.setIdentity === true,
    allowForeignPublication: options.allowForeignPublication === true,
    failover: options.failover === true,
    newEpoch: options.newEpoch === true,
    acceptTimeline: options.acceptTimeline === true,
    acceptGap: options.acceptGap === true,
    ...(migrationsOnly === true ? { only: 'migrations' } : {}),
    ...(slotOnly === true ? { only: 'slot' } : {}),
  };
}

async function agrees({ terminal }: CliContext, question: string): Promise<boolean> {
  const lines = createInterface({ input: terminal.stdin, output: terminal.stdout });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}

function describe({ plan, migrations, identities, slot, added }: InitResult): string {
  const lines = [
    `database ${plan.role.database}, slot ${plan.slot}, mode ${plan.mode === 'all' ? 'all tables' : 'list of tables'}`,
    `migrations applied now: ${migrations.length === 0 ? 'none' : migrations.join(', ')}`,
    ...identities.map((statement) => `identity: ${statement}`),
    `publications: ${plan.publications.join(', ')}`,
  ];
  if (slot !== null)
    lines.push(`slot ${slot.created ? 'created' : 'kept'} at ${slot.consistentPoint}, epoch ${slot.epoch}`);
  for (const name of plan.missingTables) lines.push(`not there yet: ${name.schema}.${name.table}`);
  if (added !== null) lines.push(...describeLists(added));
  if (plan.limits.length > 0) {
    lines.push(
      '',
      'Without superuser rights these limits hold:',
      ...plan.limits.map((limit) => `  - ${limit}`),
    );
    lines.push(
      '',
      'To lift them use --admin-url, or let a superuser run this script and run init again:',
      '',
      plan.superuserSql,
    );
  }
  return lines.join('\n');
}

function describeLists(added: NonNullable<InitResult['added']>): readonly string[] {
  return [
    `captured: ${added.full.length} tables, with INSERT and TRUNCATE only: ${added.insertOnly.length}`,
    ...added.notOwned.map((one) => `not captured: ${one.schema}.${one.table}; ${one.remedy}`),
  ];
}
