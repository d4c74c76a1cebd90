import type { ReplayFrom } from '@pgstream/assembly';
import { PipelineError } from '@pgstream/failure';
import type { Command } from 'commander';
import { renderTable } from '../../output/table.ts';
import { wholeNumber } from './numbers.ts';
import { onAction, type HookContext } from './hook-command.ts';

interface ReplayFlags {
  readonly time?: string;
  readonly lsn?: string;
  readonly epoch?: string;
  readonly offset: readonly string[];
  readonly beginning?: true;
}

export function addHookReplay(group: Command, hooks: HookContext): void {
  const command = group
    .command('replay <id>')
    .description('deliver again from a place in the log on, with the ids that the events had')
    .option('--time <time>', 'of the commit, as 2026-11-21T09:00:00Z')
    .option('--lsn <lsn>', 'of the commit, as 16/B374D848')
    .option('--epoch <n>', 'that the LSN belongs to; default: the newest in the log')
    .option(
      '--offset <partition:offset>',
      'in this partition; again for another one',
      (one: string, before: readonly string[]): readonly string[] => [...before, one],
      [],
    )
    .option('--beginning', 'all that the log still has');
  onAction(command, hooks, async (api, printer, id: string) => {
    const from = placeOf(command.opts<ReplayFlags>());
    const replayed = await api.replay(id, from);
    const rows = replayed.partitions.map(
      ({ partition, nextOffset, before }) => [partition, nextOffset, before] as const,
    );
    const text =
      rows.length === 0
        ? 'nothing to replay: no partition has anything from there on'
        : renderTable(['partition', 'goes on at', 'had come to'], rows);
    printer.result(text, replayed);
  });
}

/** @throws {PipelineError} CONFIG_INVALID unless the flags name one place. */
function placeOf({ time, lsn, epoch, offset, beginning }: ReplayFlags): ReplayFrom {
  const places: ReplayFrom[] = [];
  if (time !== undefined) places.push({ time });
  if (lsn !== undefined) {
    places.push({ lsn, ...(epoch === undefined ? {} : { epoch: wholeNumber('--epoch', epoch, 0) }) });
  }
  if (offset.length > 0) places.push({ offsets: offset.map(offsetOf) });
  if (beginning === true) places.push({ beginning });
  const [place] = places;
  if (place !== undefined && places.length === 1) return place;
  throw new PipelineError('CONFIG_INVALID', {
    detail: 'webhooks replay: say from where with one of --time, --lsn, --offset, --beginning.',
  });
}

function offsetOf(text: string): { readonly partition: number; readonly offset: number } {
  const [, partition, offset] = /^(\d{1,9}):(\d{1,15})$/.exec(text) ?? [];
  if (partition !== undefined && offset !== undefined) {
    return { partition: Number(partition), offset: Number(offset) };
  }
  throw new PipelineError('CONFIG_INVALID', {
    detail: `--offset is ${text}: a partition and an offset, as 0:1200.`,
  });
}
