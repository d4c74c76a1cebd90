import type { WebhookObserver } from '../observer.ts';
import type { SubscriptionStore } from '../store/subscription-store.ts';
import type { StoredLane } from '../webhook-sink.ts';
import type { KeptStore } from './kept-store.ts';

export interface DirectLogOptions {
  readonly kept: KeptStore;
  readonly subscriptions: SubscriptionStore;
  readonly observer: WebhookObserver;
  /** Of the records of this process. */
  readonly epoch: number;
  /** Bytes of records that are kept in the store; beyond them the oldest are given up. */
  readonly maxKeptBytes: number;
  /** Where the server's WAL ends. Later commits have higher LSNs. */
  readonly walEnd: () => Promise<bigint>;
  readonly onFailed: (cause: unknown) => void;
}

/** What the log asks of the sink that delivers from it. */
export interface DirectReaders {
  /** Of the lanes that are open, by subscription. */
  storedCursors(): ReadonlyMap<string, StoredLane>;
  /** Opens lanes as the stored subscriptions want them. */
  refresh(): Promise<void>;
}
