import { createMetrics } from '@pgstream/service-runtime';
import type { WebhookNotice, WebhookObserver, WebhookSink } from '@pgstream/webhook-sink';
import { WEBHOOK_METRICS } from '../metrics/webhook-metrics.ts';
import type { RunContext } from '../runtime/run-context.ts';

const ROUTINE: ReadonlySet<WebhookNotice> = new Set<WebhookNotice>([
  'lane_attached',
  'lane_rewound',
  'subscription_recovered',
]);

const NOTICES: Readonly<Record<WebhookNotice, string>> = {
  subscription_failing: 'an endpoint takes nothing; its events stay in the log',
  subscription_recovered: 'an endpoint takes events again',
  subscription_disabled: 'a subscription was disabled',
  lane_detached: 'a subscription reads the log by itself from here on',
  lane_attached: 'a subscription has caught up',
  lane_rewound: 'a subscription was moved back by request',
  event_parked: 'an event was put aside, to be delivered later',
  event_dead_lettered: 'an event was given up: see GET /v1/dead-letters',
  gap: 'events were lost to retention before they could be delivered',
  store_retrying: 'the subscription store is away, trying again',
  log_retrying: 'the log cannot be read, trying again',
  ownership_lost: 'another worker moves the cursors of this partition',
};

/**
 * @param sink is there from the first scrape on.
 * @param keptBytes of records in the store; without Kafka only.
 */
export function webhookObserver(
  context: RunContext,
  sink: () => WebhookSink,
  keptBytes: () => number = () => 0,
): WebhookObserver {
  const metrics = createMetrics(WEBHOOK_METRICS, context.registry);
  const attempts = new AttemptCounts(metrics.pgstream_webhook_attempts_total);
  context.onScrape(() => {
    attempts.flush();
    sample(metrics, sink());
    metrics.pgstream_webhook_kept_bytes.set(keptBytes());
  });
  return {
    attempted: (subscription, outcome, durationMs) => {
      attempts.count(subscription, outcome);
      metrics.pgstream_webhook_attempt_seconds.observe(durationMs / 1000);
    },
    delivered: (_subscription, sinceCommitMs) =>
      metrics.pgstream_webhook_delivery_seconds.observe(Math.max(0, sinceCommitMs) / 1000),
    retried: (subscription) => metrics.pgstream_webhook_retried_total.inc({ subscription }),
    parked: (subscription) => metrics.pgstream_webhook_parked_total.inc({ subscription }),
    deadLettered: (subscription) => metrics.pgstream_webhook_dead_lettered_total.inc({ subscription }),
    notice: (event, facts) => {
      if (event === 'store_retrying' || event === 'log_retrying') context.peerAway();
      if (event === 'gap') {
        metrics.pgstream_webhook_gaps_total.inc({ subscription: String(facts['subscription']) });
      }
      const level = event === 'gap' ? 'error' : ROUTINE.has(event) ? 'info' : 'warn';
      context.log[level]({ event, ...facts }, NOTICES[event]);
    },
  };
}

type Outcome = 'delivered' | 'endpoint' | 'event';

/** Attempts between two scrapes: the library looks up and checks labels for each that it is told. */
class AttemptCounts {
  readonly #counter: WebhookMetrics['pgstream_webhook_attempts_total'];
  readonly #counts = new Map<string, Record<Outcome, number>>();

  constructor(counter: WebhookMetrics['pgstream_webhook_attempts_total']) {
    this.#counter = counter;
  }

  count(subscription: string, outcome: Outcome): void {
    let counts = this.#counts.get(subscription);
    if (counts === undefined) {
      this.#counts.set(subscription, (counts = { delivered: 0, endpoint: 0, event: 0 }));
    }
    counts[outcome]++;
  }

  flush(): void {
    for (const [subscription, { delivered, endpoint, event }] of this.#counts) {
      if (delivered > 0) this.#counter.inc({ subscription, outcome: 'delivered' }, delivered);
      if (endpoint > 0) this.#counter.inc({ subscription, outcome: 'endpoint' }, endpoint);
      if (event > 0) this.#counter.inc({ subscription, outcome: 'event' }, event);
    }
    this.#counts.clear();
  }
}

type WebhookMetrics = ReturnType<typeof createMetrics<typeof WEBHOOK_METRICS>>;

/** Removed subscriptions leave no series behind. */
function sample(metrics: WebhookMetrics, sink: WebhookSink): void {
  const { pgstream_webhook_lag_records: records, pgstream_webhook_lag_seconds: seconds } = metrics;
  const { pgstream_webhook_lanes: lanes, pgstream_webhook_parked_events: parked } = metrics;
  for (const gauge of [records, seconds, lanes, parked]) gauge.reset();
  const oldest = new Map<string, number>();
  for (const {
    subscriptionId: subscription,
    state,
    lagRecords,
    lagSeconds,
    parked: count,
  } of sink.status()) {
    records.inc({ subscription }, lagRecords);
    lanes.inc({ subscription, state });
    parked.inc({ subscription }, count);
    oldest.set(subscription, Math.max(oldest.get(subscription) ?? 0, lagSeconds ?? 0));
  }
  for (const [subscription, age] of oldest) seconds.set({ subscription }, age);
  metrics.pgstream_webhook_held_bytes.set(sink.heldBytes);
  metrics.pgstream_webhook_requests_in_flight.set(sink.inFlight);
}
