import { formatPosition, parsePosition, type Position } from '@pgstream/wal-event';

/** The newest position that a partition has shown, which is what replays are measured against. */
export interface SeenPosition {
  readonly epoch: number;
  readonly position: Position;
}

/** As it stands in the metadata of an offset commit: `1 <epoch> <position>`. */
export function formatSeen(seen: SeenPosition | undefined): string {
  return seen === undefined ? '' : `1 ${seen.epoch} ${formatPosition(seen.position)}`;
}

/**
 * `undefined` for anything that {@link formatSeen} did not write: a commit of another program, for example a tool that
 * moved the group back on purpose. What comes again then is not skipped.
 */
export function parseSeen(metadata: string): SeenPosition | undefined {
  const [, epoch, position] = /^1 (\d{1,10}) (\S+)$/.exec(metadata) ?? [];
  if (epoch === undefined || position === undefined) return undefined;
  try {
    return { epoch: Number(epoch), position: parsePosition(position) };
  } catch {
    return undefined;
  }
}
