import type { Metrics, HealthServer, Logger, ServiceContext } from '@pgstream/service-runtime';
import type { Registry } from 'prom-client';
import type { PgstreamConfig } from '../config/settings.ts';
import type { PROCESS_METRICS } from '../metrics/metric-specs.ts';

/** What every end of a route gets to work with. */
export interface RunContext {
  readonly config: PgstreamConfig;
  /** Of the product. */
  readonly version: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly defer: ServiceContext['defer'];
  readonly registry: Registry;
  readonly metrics: Metrics<typeof PROCESS_METRICS>;
  readonly health: HealthServer;
  /** Called before each scrape: gauges that are read from objects are brought up to date. */
  readonly onScrape: (sample: () => void) => void;
  /** A peer is down and is being retried: whoever waits for it is not stuck. */
  readonly peerAway: () => void;
  /** Ends the process with this failure, in order: work in flight is finished first. */
  readonly fail: (cause: unknown) => void;
}
