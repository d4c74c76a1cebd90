import { databaseStatus, type DatabaseStatus } from '@pgstream/assembly';
import { formatBytes } from '@pgstream/service-runtime';
import type { Command } from 'commander';
import { invocationOf, type CliContext, type Done } from '../cli-context.ts';
import { addSettingFlags } from '../flags.ts';
import { renderPairs } from '../output/table.ts';

export function addStatus(program: Command, context: CliContext, done: Done): void {
  const command = program
    .command('status')
    .description(
      'what is prepared in the database, and how far the slot is; exit code 1 when something is missing',
    );
  addSettingFlags(command, 'postgres');
  command.action(async () => {
    const { config, printer } = invocationOf(command, context, 'postgres');
    const status = await databaseStatus(config, context.migrationsDir);
    printer.result(describe(status), status);
    if (!status.ready) done.exitCode = 1;
  });
}

function describe(status: DatabaseStatus): string {
  const { slot, state, migrations, publications } = status;
  const bytes = (value: number | null | undefined) => (value == null ? null : formatBytes(value));
  return renderPairs([
    ['database', status.database],
    ['schema pgstream', status.schemaExists ? 'exists' : 'missing: run pgstream init'],
    [
      'migrations',
      `${migrations.applied.length} applied, ${migrations.pending.length} pending, ${migrations.changed.length} changed`,
    ],
    ['slot', slot === null ? `${status.slotName} (missing)` : `${status.slotName} (${slot.plugin})`],
    ['slot active', slot?.active ?? null],
    ['confirmed', slot?.confirmedLsn ?? null],
    ['WAL retained', bytes(slot?.retainedBytes)],
    ['WAL status', slot?.walStatus ?? null],
    ['mode', state?.mode ?? null],
    ['epoch', state?.epoch ?? null],
    [
      'publications',
      publications.map(({ name, exists }) => `${name}${exists ? '' : ' (missing)'}`).join(', '),
    ],
    ['reader', status.reader === null ? null : `${status.reader.application} since ${status.reader.since}`],
    ['gaps', status.gaps.length],
  ]);
}
