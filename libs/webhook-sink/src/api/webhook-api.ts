import { isIP } from 'node:net';
import { PipelineError } from '@pgstream/failure';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import type { WebhookApiOptions } from './api-options.ts';
import { answerOnce } from './idempotency.ts';
import { addCommonAnswers, describeRoutes } from './openapi.ts';
import { bodyFault, hasToken } from './checks.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { legacyRoutes } from './legacy-routes.ts';
import { operationRoutes } from './operation-routes.ts';
import { answerProblems, Problem } from './problems.ts';
import { subscriptionRoutes } from './subscription-routes.ts';

/** One method of one path, with the JSON schemas that its requests are held to. */
export interface ApiRoute {
  readonly method: string;
  /** Parameters as `:id`. */
  readonly path: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

const MAX_BODY_BYTES = 256 * 1024;

/** The HTTP API of the notifier: the original's two routes, and `/v1`. */
export class WebhookApi {
  readonly #options: WebhookApiOptions;
  readonly #server: FastifyInstance;
  readonly #served: ApiRoute[] = [];
  /** Once the routes are there. */
  #described: () => object = () => ({});

  constructor(options: WebhookApiOptions) {
    this.#options = options;
    this.#server = fastify({
      logger: false,
      forceCloseConnections: true,
      bodyLimit: MAX_BODY_BYTES,
      requestTimeout: options.readTimeoutMs,
      // Node looks every 30 s only whether a request is late, and takes the longer of two limits for its body.
      http: {
        headersTimeout: options.readTimeoutMs,
        requestTimeout: options.readTimeoutMs,
        connectionsCheckingInterval: Math.min(1_000, options.readTimeoutMs),
      },
      keepAliveTimeout: options.idleTimeoutMs,
      ajv: {
        customOptions: {
          coerceTypes: 'array',
          removeAdditional: false,
          allErrors: false,
          allowUnionTypes: true,
        },
      },
    });
    this.#routes();
  }

  /** All that is served, once {@link listen} has resolved. */
  get routes(): readonly ApiRoute[] {
    return this.#served;
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

  /** What is served at `/v1/openapi.json`. Needs no store, no log and no socket. */
  async document(): Promise<object> {
    await this.#server.ready();
    return this.#described();
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  #routes(): void {
    const server = this.#server;
    const options = this.#options;
    const { token } = options;
    answerProblems(server, options.onUnexpected);
    server.addHook('onRoute', ({ method, url: path, schema = {} }) => {
      for (const one of [method].flat()) this.#served.push({ method: one, path, schema: { ...schema } });
    });
    server.addHook('preValidation', async ({ body }) => {
      const fault = bodyFault(body);
      if (fault !== undefined) throw new Problem(400, fault);
    });
    const mayCall = ({ headers }: FastifyRequest) =>
      this.#isLegacyOpen() || (token !== null && hasToken(headers.authorization, token));
    void server.register(async (described) => {
      await describeRoutes(described);
      await described.register(legacyRoutes, { ...options, mayCall, prefix: '/webhooks' });
      await described.register(
        async (v1) => {
          v1.addHook('onRequest', async ({ headers }) => {
            if (token === null) throw new Problem(503, 'set PGSTREAM_WEBHOOK_API_TOKEN to use this API');
            if (!hasToken(headers.authorization, token))
              throw new Problem(401, 'the bearer token is missing or wrong');
          });
          answerOnce(v1, options.requests);
          addCommonAnswers(v1);
          await v1.register(subscriptionRoutes, { ...options, prefix: '/subscriptions' });
          await v1.register(operationRoutes, { ...options, prefix: '/subscriptions' });
          await v1.register(deadLetterRoutes, { ...options, prefix: '/dead-letters' });
        },
        { prefix: '/v1' },
      );
      this.#documentRoute(described);
    });
  }

  /** Without a token: it says nothing that the source does not say. */
  #documentRoute(server: FastifyInstance): void {
    const schema = {
      tags: ['Document'],
      summary: 'This document, OpenAPI 3.1',
      operationId: 'readDocument',
      response: { 200: { description: 'OK', type: 'object', additionalProperties: true } },
    };
    this.#described = () => server.swagger();
    server.get('/v1/openapi.json', { schema }, () => this.#described());
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
