import { isIP } from 'node:net';
import { PipelineError } from '@pgstream/failure';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import type { WebhookApiOptions } from './api-options.ts';
import { hasToken } from './checks.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { legacyRoutes } from './legacy-routes.ts';
import { answerProblems, Problem } from './problems.ts';
import { subscriptionRoutes } from './subscription-routes.ts';

const MAX_BODY_BYTES = 256 * 1024;

/** The HTTP API of the notifier: the original's two routes, and `/v1`. */
export class WebhookApi {
  readonly #options: WebhookApiOptions;
  readonly #server: FastifyInstance;

  constructor(options: WebhookApiOptions) {
    this.#options = options;
    this.#server = fastify({
      logger: false,
      forceCloseConnections: true,
      bodyLimit: MAX_BODY_BYTES,
      requestTimeout: options.readTimeoutMs,
      keepAliveTimeout: options.idleTimeoutMs,
      ajv: { customOptions: { coerceTypes: 'array', removeAdditional: false, allErrors: false } },
    });
    this.#routes();
  }

  /**
   * @returns the URL it listens on.
   * @throws {PipelineError} WEBHOOK_API_ADDRESS_UNAVAILABLE
   */
  async listen(): Promise<string> {
    const { address } = this.#options;
    const host = hostOf(address);
    try {
      return await this.#server.listen({
        host: host === '' ? '::' : host,
        port: Number(address.slice(address.lastIndexOf(':') + 1)),
      });
    } catch (cause) {
      const detail = `PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS is ${address}.`;
      throw new PipelineError('WEBHOOK_API_ADDRESS_UNAVAILABLE', { cause, detail });
    }
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  #routes(): void {
    const server = this.#server;
    const options = this.#options;
    const { token } = options;
    answerProblems(server, options.onUnexpected);
    server.addHook('preValidation', async ({ body }) => {
      // PostgreSQL stores no such character, in texts and in JSON alike.
      if (body !== undefined && JSON.stringify(body).includes(String.raw`\u0000`)) {
        throw new Problem(400, 'the body holds a null character');
      }
    });
    const mayCall = ({ headers }: FastifyRequest) =>
      this.#isLegacyOpen() || (token !== null && hasToken(headers.authorization, token));
    void server.register(legacyRoutes, { ...options, mayCall, prefix: '/webhooks' });
    void server.register(
      async (v1) => {
        v1.addHook('onRequest', async ({ headers }) => {
          if (token === null) throw new Problem(503, 'set PGSTREAM_WEBHOOK_API_TOKEN to use this API');
          if (!hasToken(headers.authorization, token))
            throw new Problem(401, 'the bearer token is missing or wrong');
        });
        await v1.register(subscriptionRoutes, { ...options, prefix: '/subscriptions' });
        await v1.register(deadLetterRoutes, { ...options, prefix: '/dead-letters' });
      },
      { prefix: '/v1' },
    );
  }

  #isLegacyOpen(): boolean {
    const { legacyOpen, address } = this.#options;
    return legacyOpen || isLoopback(hostOf(address));
  }
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIP(host) !== 0 && ipaddr.process(host).range() === 'loopback');
}
