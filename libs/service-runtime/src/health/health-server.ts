import { PipelineError, systemClock } from '@pgstream/failure';
import { fastify, type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { Watchdog, type Progress } from './watchdog.ts';

/** Resolves when ready; otherwise throws or returns the reason, without credentials. */
export type ReadinessCheck = () => string | null | Promise<string | null>;

export interface HealthOptions {
  /** `host:port`; `:port` is every interface; port 0 is any free port. */
  readonly address: string;
  readonly version: string;
  readonly metrics: Registry | null;
  /** The path of the metrics; `/metrics` always works. */
  readonly metricsPath?: string;
  /** Called before each scrape: brings gauges up to date. */
  readonly beforeMetrics?: () => void;
  /** A part that is busy and does nothing for so long is stuck. */
  readonly stuckAfterMs: number;
}

/**
 * `/livez` asks whether this process can still do its work: the event loop turns (or nothing would answer) and no part
 * is stuck. It never asks a peer, since restarting us does not heal a peer. `/readyz` asks the registered checks.
 */
export class HealthServer {
  readonly #options: HealthOptions;
  readonly #server: FastifyInstance;
  readonly #watchdog: Watchdog;
  readonly #checks = new Map<string, ReadinessCheck>();
  #phase = 'starting';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#watchdog = new Watchdog(options.stuckAfterMs);
    this.#server = fastify({ logger: false, forceCloseConnections: true });
    this.#routes();
  }

  /** `starting`, `replication`, `stopping`: shown by /status. Only `replication` is ready. */
  set phase(phase: string) {
    this.#phase = phase;
  }

  addReadiness(name: string, check: ReadinessCheck): void {
    this.#checks.set(name, check);
  }

  watch(part: Progress): void {
    this.#watchdog.watch(part, systemClock.now());
  }

  /**
   * @returns the URL it listens on.
   * @throws {PipelineError} HEALTH_ADDRESS_UNAVAILABLE
   */
  async listen(): Promise<string> {
    const { address } = this.#options;
    // Also without anybody asking: a part that was idle in between must not look stuck.
    const every = Math.max(100, this.#options.stuckAfterMs / 10);
    this.#timer = setInterval(() => this.#watchdog.stuck(systemClock.now()), every).unref();
    const at = address.lastIndexOf(':');
    const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1');
    try {
      return await this.#server.listen({
        host: host === '' ? '::' : host,
        port: Number(address.slice(at + 1)),
      });
    } catch (cause) {
      throw new PipelineError('HEALTH_ADDRESS_UNAVAILABLE', {
        cause,
        detail: `PGSTREAM_HEALTH_CHECK_ADDRESS is ${address}.`,
      });
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#server.close();
  }

  #routes(): void {
    const server = this.#server;
    for (const path of ['/livez', '/health']) {
      server.get(path, (_request, reply) => {
        const stuck = this.#watchdog.stuck(systemClock.now());
        const isStuck = stuck.length > 0;
        return reply.code(isStuck ? 503 : 200).send({ status: isStuck ? 'stuck' : 'ok', stuck });
      });
    }
    for (const path of ['/readyz', '/ready']) {
      server.get(path, async (_request, reply) => {
        const failures = await this.#failures();
        const isReady = failures.length === 0;
        return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', failures });
      });
    }
    server.get('/status', (_request, reply) =>
      reply.send({ status: 'ok', version: this.#options.version, phase: this.#phase }),
    );
    this.#metricRoutes();
  }

  #metricRoutes(): void {
    const { metrics, metricsPath = '/metrics', beforeMetrics } = this.#options;
    if (metrics === null) return;
    for (const path of new Set(['/metrics', metricsPath])) {
      this.#server.get(path, async (_request, reply) => {
        beforeMetrics?.();
        return reply.type(metrics.contentType).send(await metrics.metrics());
      });
    }
  }

  async #failures(): Promise<string[]> {
    const failures = this.#phase === 'replication' ? [] : [`phase is ${this.#phase}`];
    for (const [name, check] of this.#checks) {
      // oxlint-disable-next-line no-await-in-loop -- a handful of checks, and their order is the order of the answer
      const failure = await attempt(check);
      if (failure !== null) failures.push(`${name}: ${failure}`);
    }
    return failures;
  }
}

async function attempt(check: ReadinessCheck): Promise<string | null> {
  try {
    return await check();
  } catch (error) {
    return error instanceof PipelineError ? error.code : 'failed';
  }
}
