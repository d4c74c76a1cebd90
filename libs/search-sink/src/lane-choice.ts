import type { BulkLane } from './lane.ts';

/** A document's lane: always the same one, whatever table it belongs to. */
export function laneOf(lanes: readonly BulkLane[], id: string): BulkLane {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  const lane = lanes[(hash >>> 0) % lanes.length];
  if (lane === undefined) throw new RangeError('no bulk lanes');
  return lane;
}
