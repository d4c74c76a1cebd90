import swagger from '@fastify/swagger';
import { Type, type TSchema } from '@sinclair/typebox';
import { STATUS_CODES } from 'node:http';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import * as answers from './answers.ts';
import { IDEMPOTENCY_HEADER } from './idempotency.ts';
import { OUTGOING } from './outgoing.ts';
import * as requests from './schemas.ts';

/** Of the API, not of the product: so the document is the same wherever it is made. */
const API_VERSION = '1.0.0';

/** Those that the document has by their names, each once. */
const NAMED = [...Object.values<unknown>(answers), ...Object.values<unknown>(requests)].filter(
  (schema): schema is TSchema => typeof schema === 'object' && schema !== null && '$id' in schema,
);

const IdempotencyHeaders = Type.Object({
  [IDEMPOTENCY_HEADER]: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: String.raw`^[\x20-\x7e]+$`,
      description: 'A request with the same key is done once within a day, and answered as it was then.',
    }),
  ),
});

/** Collects every route that is registered after it; `server.swagger()` is the document then. */
export async function describeRoutes(server: FastifyInstance): Promise<void> {
  await server.register(swagger, {
    // The paths say it themselves.
    stripBasePath: false,
    refResolver: {
      buildLocalReference: (schema, _baseUri, _fragment, i) =>
        typeof schema['$id'] === 'string' ? schema['$id'] : `def-${i}`,
    },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'pgstream webhooks',
        version: API_VERSION,
        description:
          'Subscriptions to the changes of a PostgreSQL database, and what became of their deliveries. Errors are problems by RFC 9457.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [
        { url: 'http://localhost:9900', description: 'PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS' },
      ],
      tags: [
        { name: 'Subscriptions', description: 'Who hears of what.' },
        { name: 'Operations', description: 'What is done with a subscription.' },
        { name: 'Dead letters', description: 'Events that were given up.' },
        { name: 'Compatible', description: 'The routes of the original.' },
        { name: 'Document', description: 'This document.' },
      ],
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'PGSTREAM_WEBHOOK_API_TOKEN' },
        },
      },
      webhooks: OUTGOING,
    },
  });
  for (const schema of NAMED) server.addSchema(schema);
  // The schemas describe the answers, and the types hold the routes to them; nothing is left out or turned into a text.
  server.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
}

/** Gives the routes of `/v1` what they have in common: the token, the problems, and on POST the Idempotency-Key. */
export function addCommonAnswers(server: FastifyInstance): void {
  server.addHook('onRoute', (route) => {
    // HEAD comes with each GET.
    if (route.method === 'HEAD') route.schema = { ...route.schema, hide: true };
    else route.schema = commonSchema(route);
  });
}

function commonSchema({ method, schema = {} }: RouteOptions): FastifySchema {
  const isPost = method === 'POST';
  const codes = [
    400,
    401,
    ...(schema.params === undefined ? [] : [404]),
    ...(isPost || method === 'PATCH' ? [409] : []),
    ...(method === 'GET' ? [] : [413, 415]),
    ...(isPost ? [422] : []),
    500,
    503,
  ];
  const problems = Object.fromEntries(
    codes.map((code) => [
      code,
      {
        description: STATUS_CODES[code] ?? '',
        content: { 'application/problem+json': { schema: requests.refTo(answers.ProblemBody) } },
      },
    ]),
  );
  const described: Record<string, unknown> = { ...Object(schema.response) };
  for (const [code, one] of Object.entries(described)) described[code] = withDescription(code, one);
  return {
    ...schema,
    security: [{ token: [] }],
    ...(isPost ? { headers: IdempotencyHeaders } : {}),
    response: { ...described, ...problems },
  };
}

function withDescription(code: string, answer: unknown): unknown {
  const given: Readonly<Record<string, unknown>> = { ...Object(answer) };
  return { description: STATUS_CODES[Number(code)] ?? '', ...given };
}
