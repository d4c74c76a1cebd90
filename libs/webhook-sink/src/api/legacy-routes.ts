import { Buffer } from 'node:buffer';
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  RouteShorthandOptions,
} from 'fastify';
import { defaultSpec } from '../default-spec.ts';
import { secretFault } from '../wire/signature.ts';
import type { WebhookApiOptions } from './api-options.ts';
import { headerFault } from './checks.ts';
import { SUBSCRIBED, UNSUBSCRIBED } from './legacy-schemas.ts';
import { faultOf, Problem } from './problems.ts';

const LETTERS: Readonly<Record<string, string>> = {
  insert: 'I',
  update: 'U',
  delete: 'D',
  truncate: 'T',
  ddl: 'M',
  message: 'M',
};

interface LegacyBody {
  readonly url: string;
  readonly schema: string;
  readonly table: string;
  readonly eventTypes: readonly string[];
  readonly secret: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * POST /webhooks/subscribe and /unsubscribe as the original has them: the same bodies, statuses and answers. Different on
 * purpose: unsubscribe works, `event_types: []` is all, and a URL that could never be called is a 400.
 */
export async function legacyRoutes(
  server: FastifyInstance,
  options: WebhookApiOptions & { readonly mayCall: (request: FastifyRequest) => boolean },
): Promise<void> {
  const { subscriptions, refresh, mayCall, onUnexpected } = options;
  answerAsTheOriginal(server, onUnexpected);
  server.addHook('onRequest', async (request) => {
    if (!mayCall(request)) {
      throw new Problem(401, 'the bearer token of PGSTREAM_WEBHOOK_API_TOKEN is needed on this address');
    }
  });
  server.post('/subscribe', described(SUBSCRIBED), async (request, reply) => {
    const body = parse(request.body, options);
    const { url, schema, table, eventTypes, secret, headers } = body;
    await subscriptions.subscribe(
      {
        ...defaultSpec(url, options.defaultTimeoutMs),
        origin: 'legacy',
        legacy: { schema, table, eventTypes },
        format: 'pgstream',
        maxPayloadBytes: null,
        headers,
        secrets: secret === undefined ? [] : [secret],
      },
      { topic: options.topic, next: await options.positions.ends() },
    );
    await refresh();
    return say(reply, 201, null);
  });
  server.post('/unsubscribe', described(UNSUBSCRIBED), async (request, reply) => {
    const { url, schema, table } = members(request.body);
    await subscriptions.unsubscribe(url, schema, table);
    await refresh();
    return say(reply, 200, null);
  });
  refuseOtherMethods(server);
}

/** For the document alone: what comes is looked at by {@link members}, whose words are the original's. */
function described(schema: FastifySchema): RouteShorthandOptions {
  return { schema, validatorCompiler: () => () => true };
}

function answerAsTheOriginal(server: FastifyInstance, onUnexpected: (cause: unknown) => void): void {
  server.setErrorHandler((error, _request, reply) => {
    const { status, detail } = faultOf(error);
    if (status === 500) onUnexpected(error);
    // As the original words them.
    if (status === 415) return say(reply, 400, { message: 'Unsupported Media Type' });
    if (status >= 500) return say(reply, 503, { Details: detail });
    return say(reply, status, { message: detail });
  });
  server.setNotFoundHandler((_request, reply) => say(reply, 404, { message: 'Not Found' }));
}

function refuseOtherMethods(server: FastifyInstance): void {
  for (const url of ['/subscribe', '/unsubscribe']) {
    server.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE'],
      url,
      schema: { hide: true },
      handler: (_request, reply) =>
        say(reply.header('allow', 'OPTIONS, POST'), 405, { message: 'Method Not Allowed' }),
    });
  }
}

/** The original ends its answers with a line feed, and names no charset: fastify adds none to bytes. */
function say(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .send(Buffer.from(`${JSON.stringify(body)}\n`));
}

function parse(body: unknown, { guard }: WebhookApiOptions): LegacyBody {
  const parsed = members(body);
  const { url, secret, headers } = parsed;
  const fault =
    guard.urlFault(url) ?? (secret === undefined ? undefined : secretFault(secret)) ?? headerFault(headers);
  if (fault !== undefined) throw new Problem(400, fault);
  return parsed;
}

function members(body: unknown): LegacyBody {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Problem(400, 'the body must be a JSON object');
  }
  const { url, schema, table, event_types: types, secret, headers }: Record<string, unknown> = { ...body };
  return {
    url: text('url', url),
    schema: text('schema', schema),
    table: text('table', table),
    eventTypes: texts('event_types', types).map((type) => LETTERS[type.toLowerCase()] ?? type),
    secret: secret === undefined || secret === null ? undefined : text('secret', secret),
    headers: record('headers', headers),
  };
}

function text(name: string, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' && value.length <= 2000) return value;
  throw new Problem(400, `${name}: expected a string of at most 2000 characters`);
}

function texts(name: string, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.length <= 20) return value.map((one) => text(name, one));
  throw new Problem(400, `${name}: expected a list of at most 20 strings`);
}

function record(name: string, value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, text(`${name}.${key}`, one)]));
  }
  throw new Problem(400, `${name}: expected an object of strings`);
}
