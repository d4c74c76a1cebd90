import type { Subscription } from '../subscription.ts';
import type { WebhookApiOptions } from './api-options.ts';

/** Where a subscription stands, over all workers: cursors are in the store, circuits in the worker that owns them. */
export async function statusOf(
  { id, state, stateReason, failingSinceMs }: Subscription,
  options: WebhookApiOptions,
) {
  const [cursors, gaps, parked, ends] = await Promise.all([
    options.cursors.ofSubscription(id),
    options.cursors.gapsOf(id),
    options.retries.parkedCount(id),
    options.positions.ends(),
  ]);
  const here = new Map(
    options.lanes().flatMap((lane) => (lane.subscriptionId === id ? [[lane.partition, lane] as const] : [])),
  );
  const partitions = cursors.map(({ partition, nextOffset, laneState }) => {
    const lane = here.get(partition);
    const end = ends.get(partition) ?? nextOffset;
    return {
      partition,
      nextOffset,
      lagRecords: Math.max(0, end - nextOffset),
      state: lane?.state ?? laneState,
      /** `null`: another worker owns the partition. */
      circuit: lane?.circuit ?? null,
      oldestUnsettledSeconds: lane?.lagSeconds ?? null,
    };
  });
  return {
    id,
    state,
    stateReason,
    failingSince: failingSinceMs === null ? null : new Date(failingSinceMs).toISOString(),
    lagRecords: partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
    parked,
    gaps,
    partitions,
  };
}
