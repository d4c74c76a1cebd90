import {
  countDeadLetters,
  databaseStatus,
  type DatabaseStatus,
  type PgstreamConfig,
} from '@pgstream/assembly';
import { PipelineError } from '@pgstream/failure';
import type { Command } from 'commander';
import { invocationOf, type CliContext, type Done } from '../cli-context.ts';
import { addSettingFlags } from '../flags.ts';
import { humanBytes, renderPairs, type Pair } from '../output/table.ts';

export function addStatus(program: Command, context: CliContext, done: Done): void {
  const command = program
    .command('status')
    .description(
      'what is prepared in the database, how far the slot is, and what is parked; exit code 1 when something is missing or parked',
    );
  addSettingFlags(command, 'postgres', 'kafka', 'search');
  command.action(async () => {
    const { config, printer } = invocationOf(command, context, 'postgres');
    const status = await databaseStatus(config, context.migrationsDir);
    const deadLetters = await parkedIn(config);
    printer.result(describe(status, deadLetters), { ...status, deadLetters });
    if (!status.ready || (deadLetters !== null && deadLetters !== 0)) done.exitCode = 1;
  });
}

/** `null` where no store is configured; what is wrong where one cannot be asked. */
async function parkedIn(config: PgstreamConfig): Promise<number | string | null> {
  try {
    return await countDeadLetters(config);
  } catch (error) {
    if (error instanceof PipelineError) return `not known: ${error.message}`;
    throw error;
  }
}

function describe(status: DatabaseStatus, deadLetters: number | string | null): string {
  const { migrations, publications, reader } = status;
  return renderPairs([
    ['database', status.database],
    ['schema pgstream', status.schemaExists ? 'exists' : 'missing: run pgstream init'],
    [
      'migrations',
      `${migrations.applied.length} applied, ${migrations.pending.length} pending, ${migrations.changed.length} changed`,
    ],
    ...slotPairs(status),
    ['mode', status.state?.mode ?? null],
    ['epoch', status.state?.epoch ?? null],
    [
      'publications',
      publications.map(({ name, exists }) => `${name}${exists ? '' : ' (missing)'}`).join(', '),
    ],
    ['reader', reader === null ? null : `${reader.application} since ${reader.since}`],
    ['gaps', status.gaps.length],
    // Where they lie is said by the settings of Kafka and of the search store.
    ...(deadLetters === null ? [] : [['dead letters', deadLetters] as const]),
  ]);
}

function slotPairs({ slot, slotName }: DatabaseStatus): readonly Pair[] {
  if (slot === null) return [['slot', `${slotName} (missing)`]];
  return [
    ['slot', `${slotName} (${slot.plugin})`],
    ['slot active', slot.active],
    ['confirmed', slot.confirmedLsn],
    ['WAL retained', slot.retainedBytes === null ? null : humanBytes(slot.retainedBytes)],
    ['WAL status', slot.walStatus],
  ];
}
