import { listDeadLetters } from '@pgstream/assembly';
import type { Command } from 'commander';
import { invocationOf, type CliContext } from '../cli-context.ts';
import { addSettingFlags } from '../flags.ts';
import { renderTable } from '../output/table.ts';

export function addDeadLetters(program: Command, context: CliContext): void {
  const group = program
    .command('dead-letters')
    .description('records that could not be delivered, with their reasons');
  const command = group
    .command('ls', { isDefault: true })
    .description(
      'list dead letters, newest first: of the topic <topic>.dead-letters, or of the index pgstream-parked',
    )
    .option('--limit <n>', 'at most so many', '100');
  addSettingFlags(command, 'kafka', 'search');
  command.action(async () => {
    const { config, printer } = invocationOf(command, context, 'none');
    const letters = await listDeadLetters(config, Number(command.opts()['limit']));
    const rows = letters.map(
      (one) =>
        [one.position, `${one.schema}.${one.table}`, one.identity, one.sink, one.code, one.reason] as const,
    );
    const text =
      rows.length === 0
        ? 'no dead letters'
        : renderTable(['position', 'table', 'identity', 'sink', 'code', 'reason'], rows);
    printer.result(text, { letters });
  });
}
