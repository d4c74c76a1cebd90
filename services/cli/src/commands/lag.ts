import { consumerLag, type LagRow } from '@pgstream/assembly';
import type { Command } from 'commander';
import { invocationOf, type CliContext } from '../cli-context.ts';
import { addSettingFlags } from '../flags.ts';
import { renderTable } from '../output/table.ts';

export function addLag(program: Command, context: CliContext): void {
  const command = program
    .command('lag')
    .description('how far the slot and the consumer group are behind, in bytes, records and seconds');
  addSettingFlags(command, 'postgres', 'kafka');
  command.action(async () => {
    const { config, printer } = invocationOf(command, context, 'none');
    const lag = await consumerLag(config);
    printer.result(describe(lag), lag);
  });
}

function describe({ slot, partitions }: Awaited<ReturnType<typeof consumerLag>>): string {
  const parts: string[] = [];
  if (slot !== null)
    parts.push(
      `slot ${slot.name}: ${slot.lagBytes} bytes behind, ${slot.retainedBytes} bytes of WAL retained`,
    );
  if (partitions.length > 0) {
    const row = (one: LagRow) =>
      [one.group, one.topic, one.partition, one.committed, one.end, one.lagRecords, one.lagSeconds] as const;
    const total = partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
    parts.push(
      renderTable(
        ['group', 'topic', 'partition', 'committed', 'end', 'records', 'seconds'],
        partitions.map(row),
      ),
      `total: ${total} records`,
    );
  }
  return parts.length === 0
    ? 'nothing is configured: set PGSTREAM_POSTGRES_LISTENER_URL or PGSTREAM_KAFKA_SERVERS'
    : parts.join('\n');
}
