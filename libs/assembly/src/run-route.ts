import type { Writable } from 'node:stream';
import { PipelineError } from '@pgstream/failure';
import { runPipeline } from '@pgstream/pipeline';
import { createMetrics, HealthServer, type ServiceContext } from '@pgstream/service-runtime';
import type { Sink, Source } from '@pgstream/wal-event';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Route } from './config/route.ts';
import type { PgstreamConfig } from './config/settings.ts';
import { PROCESS_METRICS } from './metrics/metric-specs.ts';
import { PipelineMetrics } from './runtime/pipeline-metrics.ts';
import type { RunContext } from './runtime/run-context.ts';
import { joinRoute } from './wiring/join-route.ts';

export interface RunRouteOptions {
  readonly config: PgstreamConfig;
  readonly route: Route;
  readonly service: ServiceContext;
  readonly version: string;
  /** Whether health is served where the settings do not say. */
  readonly health: boolean;
  /** Where records go for target stdout. */
  readonly stdout: Writable;
}

/** Both ends of a route, and what must be known of them. */
export interface Joined {
  readonly source: Source;
  readonly sink: Sink;
}

/** What is left for closing connections when the pipeline has used its share of the time for a stop. */
const CLOSING_MS = 2000;

/**
 * Streams from source to target until the signal, or until a failure that time cannot heal. This is what the services
 * and `pgstream run` do.
 */
export async function runRoute(options: RunRouteOptions): Promise<void> {
  const { config, route, service } = options;
  const samples: Array<() => void> = [];
  const context = createContext(options, samples);
  const { log } = context.run;
  if (isHealthServed(options)) await serveHealth(context.run, service);
  log.info(
    { source: route.source, target: route.target, version: options.version, node: process.version },
    'starting',
  );
  const { source, sink } = await joinRoute(context.run, route, options.stdout);
  const observer = new PipelineMetrics(context.run.metrics, sink.name);
  context.run.onScrape(() => observer.sample());
  context.run.health.watch({
    name: 'pipeline',
    done: () => observer.settled,
    busy: () => observer.inFlight > 0 && Date.now() - context.peerAwayMs() > config.health.stuckAfterMs,
  });
  context.run.health.phase = 'replication';
  service.signal.addEventListener('abort', () => (context.run.health.phase = 'stopping'), { once: true });
  await runPipeline({
    source,
    sink,
    signal: context.run.signal,
    observer,
    drainTimeoutMs: Math.max(1000, config.route.shutdownTimeoutMs - CLOSING_MS),
  });
  // A failure that ended the process in order is thrown now that both ends are closed.
  if (context.failure.cause !== undefined) throw context.failure.cause;
}

interface Created {
  readonly run: RunContext;
  readonly failure: { cause?: Error };
  /** When a peer was last seen to be down, milliseconds since 1970. */
  readonly peerAwayMs: () => number;
}

function createContext(options: RunRouteOptions, samples: Array<() => void>): Created {
  const { config, route, service, version } = options;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = createMetrics(PROCESS_METRICS, registry);
  metrics.pgstream_build_info.set({ version, source: route.source, target: route.target }, 1);
  const stop = new AbortController();
  const failure: { cause?: Error } = {};
  let peerAwayMs = 0;
  const health = new HealthServer({
    address: config.health.address,
    version,
    metrics: config.metrics.enabled === false ? null : registry,
    metricsPath: config.metrics.path,
    beforeMetrics: () => {
      for (const sample of samples) sample();
    },
    stuckAfterMs: config.health.stuckAfterMs,
  });
  const run: RunContext = {
    config,
    version,
    log: service.log,
    signal: AbortSignal.any([service.signal, stop.signal]),
    defer: service.defer,
    registry,
    metrics,
    health,
    onScrape: (sample) => void samples.push(sample),
    peerAway: () => void (peerAwayMs = Date.now()),
    fail: (cause) => {
      failure.cause ??= cause instanceof Error ? cause : new PipelineError('UNCLASSIFIED', { cause });
      stop.abort(cause);
    },
  };
  return { run, failure, peerAwayMs: () => peerAwayMs };
}

function isHealthServed({ config, health }: RunRouteOptions): boolean {
  return config.health.enabled ?? (health || config.metrics.enabled === true);
}

async function serveHealth({ health, log }: RunContext, service: ServiceContext): Promise<void> {
  const url = await health.listen();
  service.defer('health server', () => health.close());
  log.info({ url }, 'health server listens');
}
