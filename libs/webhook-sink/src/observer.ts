/** What happened, for logs and for whoever operates it. */
export type WebhookNotice =
  | 'subscription_failing'
  | 'subscription_recovered'
  | 'subscription_disabled'
  | 'lane_detached'
  | 'lane_attached'
  | 'lane_rewound'
  | 'event_parked'
  | 'event_dead_lettered'
  | 'gap'
  | 'store_retrying'
  | 'log_retrying'
  | 'ownership_lost';

/** What the sink tells whoever counts. Subscriptions are named by id, never by URL. */
export interface WebhookObserver {
  /** `outcome` is `delivered`, `endpoint` (it took nothing) or `event` (it refused this one). */
  attempted?(subscriptionId: string, outcome: 'delivered' | 'endpoint' | 'event', durationMs: number): void;
  /** From the commit of the change to the answer with 2xx. */
  delivered?(subscriptionId: string, sinceCommitMs: number): void;
  retried?(subscriptionId: string): void;
  parked?(subscriptionId: string): void;
  deadLettered?(subscriptionId: string): void;
  /** Facts hold ids, counts and offsets, never rows, URLs or secrets. */
  notice?(event: WebhookNotice, facts: Readonly<Record<string, string | number>>): void;
}
