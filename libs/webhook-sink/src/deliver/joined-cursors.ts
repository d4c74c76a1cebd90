import type { CursorStore } from '../store/cursor-store.ts';
import { rowOf } from './cursor-keeper.ts';
import type { SubscriptionLane } from './subscription-lane.ts';

/**
 * Writes what our lanes know to be settled together with what another owner has stored meanwhile, under our epoch. Lanes
 * that are stopped; those whose cursor was moved back by request count no more.
 */
export async function storeJoined(
  cursors: CursorStore,
  lanes: readonly SubscriptionLane[],
  { partition, epoch }: { readonly partition: number; readonly epoch: string },
): Promise<void> {
  const stored = await cursors.ofPartition(partition);
  const rows = lanes.flatMap((lane) => {
    const known = stored.get(lane.id);
    if (known?.generation !== lane.generation) return [];
    const { place } = lane.lane;
    const cursor = Math.max(place.cursor, known.nextOffset ?? 0);
    const ahead = [...place.ahead, ...known.ahead].filter((offset) => offset >= cursor);
    return [rowOf(lane, { cursor, ahead }, epoch)];
  });
  if (rows.length > 0) await cursors.save(rows);
}
