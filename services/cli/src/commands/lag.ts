import { consumerLag, type Lag, type LagRow } from '@pgstream/assembly';
import type { Command } from 'commander';
import { invocationOf, type CliContext } from '../cli-context.ts';
import { addSettingFlags } from '../flags.ts';
import { humanBytes, renderTable } from '../output/table.ts';

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

function describe({ slot, partitions }: Lag): string {
  const parts: string[] = [];
  if (slot !== null) {
    const retained = slot.retainedBytes === null ? '' : `, ${humanBytes(slot.retainedBytes)} of WAL retained`;
    parts.push(`slot ${slot.name}: ${humanBytes(slot.lagBytes)} behind${retained}`);
  }
  if (partitions.length > 0) {
    const total = partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
    const headers = ['group', 'topic', 'partition', 'committed', 'end', 'records', 'seconds'];
    parts.push(renderTable(headers, partitions.map(row)), `total: ${total} records`);
  }
  return parts.length === 0
    ? 'nothing is configured: set PGSTREAM_POSTGRES_LISTENER_URL or PGSTREAM_KAFKA_SERVERS'
    : parts.join('\n');
}

function row(lag: LagRow) {
  const { group, topic, partition, committed, end, lagRecords, lagSeconds } = lag;
  return [group, topic, partition, committed, end, lagRecords, lagSeconds] as const;
}
