import type { AssignedPartition, BatchConsumerOptions } from '@pgstream/kafka-client';
import type { DeadLetterStore } from '@pgstream/wal-event';

export interface ChangeConsumerOptions extends BatchConsumerOptions {
  /** Where records that are none go. */
  readonly deadLetters: DeadLetterStore;
  /** Of batches that were handed out and not given back. Default 32 MiB. */
  readonly maxInFlightBytes?: number;
  /** How long confirmed offsets may wait for company. Default 200. */
  readonly commitIntervalMs?: number;
  /** How long a rebalance waits for batches in flight. Default 10,000; well below the session timeout. */
  readonly drainTimeoutMs?: number;
  /** These lanes are ours from now on, each from an offset; before any batch of them. */
  readonly onAssigned?: (lanes: readonly Pick<AssignedPartition, 'partition' | 'offset'>[]) => void;
}
