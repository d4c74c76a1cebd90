import type { OwnedPartition } from './owned-partition.ts';
import type { SubscriptionLane } from './subscription-lane.ts';

export interface LaneStatus {
  readonly subscriptionId: string;
  readonly partition: number;
  readonly state: 'attached' | 'catching_up' | 'detached';
  readonly circuit: 'closed' | 'open' | 'half-open';
  /** Everything before it is settled. */
  readonly cursor: number;
  /** Offsets between its cursor and where the live reading has come to. */
  readonly lagRecords: number;
  /** Since the commit of its oldest unsettled event; 0 without one, `null` for one that waits in the log. */
  readonly lagSeconds: number | null;
  readonly windowBytes: number;
  readonly unsettled: number;
  readonly parked: number;
}

/** Of one lane, at this moment. */
export function statusOf(lane: SubscriptionLane, { liveNext }: OwnedPartition): LaneStatus {
  const { cursor, oldestCommitMs, bytes, unsettled } = lane.lane;
  const lagRecords = Math.max(0, liveNext - cursor);
  const isWaitingInLog = oldestCommitMs === undefined && lagRecords > 0 && !lane.isAttached;
  return {
    subscriptionId: lane.id,
    partition: lane.partition,
    state: lane.state,
    circuit: lane.endpoint.circuitState,
    cursor,
    lagRecords,
    lagSeconds: isWaitingInLog ? null : sinceSeconds(oldestCommitMs),
    windowBytes: bytes,
    unsettled,
    parked: lane.parked.size,
  };
}

function sinceSeconds(commitMs: number | undefined): number {
  return commitMs === undefined || commitMs === 0 ? 0 : Math.max(0, Date.now() - commitMs) / 1000;
}
