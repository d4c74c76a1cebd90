import type { LogPositions } from '../replay/log-positions.ts';
import type { AddressGuard } from '../send/address-guard.ts';
import type { Sender } from '../send/sender.ts';
import type { AttemptStore } from '../store/attempt-store.ts';
import type { CursorStore } from '../store/cursor-store.ts';
import type { RequestStore } from '../store/request-store.ts';
import type { RetryStore } from '../store/retry-store.ts';
import type { SubscriptionStore } from '../store/subscription-store.ts';
import type { LaneStatus } from '../deliver/lane-status.ts';

export interface WebhookApiOptions {
  /** `host:port`; `:port` is every interface; port 0 is any free port. */
  readonly address: string;
  /** Without one /v1 is not served. */
  readonly token: string | null;
  /** The legacy routes need no token, whoever asks. Otherwise they need none on a loopback address only. */
  readonly legacyOpen: boolean;
  readonly readTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Of a subscription that says nothing. */
  readonly defaultTimeoutMs: number;
  readonly version: string;
  readonly topic: string;
  readonly subscriptions: SubscriptionStore;
  readonly cursors: CursorStore;
  readonly retries: RetryStore;
  readonly attempts: AttemptStore;
  readonly requests: RequestStore;
  readonly guard: AddressGuard;
  readonly sender: Sender;
  readonly positions: LogPositions;
  /** Makes this process deliver by what was changed, before the answer goes out. */
  readonly refresh: () => Promise<void>;
  /** Lanes of this process. */
  readonly lanes: () => readonly LaneStatus[];
  readonly onUnexpected: (cause: unknown) => void;
}
