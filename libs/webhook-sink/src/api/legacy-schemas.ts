import { Type } from '@sinclair/typebox';

const TEXT = Type.String({ maxLength: 2000 });
const tags = ['Compatible'];
const Refusal = Type.Object({ message: TEXT }, { description: 'Refused, as the original words it.' });
const Away = Type.Object({ Details: TEXT }, { description: 'The store is away.' });
const Null = (description: string) => ({
  description,
  content: { 'application/json': { schema: { type: 'null' } } },
});

const SCOPE = {
  url: TEXT,
  schema: Type.Optional(Type.String({ maxLength: 2000, description: 'Empty: all.' })),
  table: Type.Optional(Type.String({ maxLength: 2000, description: 'Empty: all.' })),
};
const security = [{}, { token: [] }];

/** Of the routes of the original, for the document. */
export const SUBSCRIBED = {
  tags,
  security,
  summary: 'Subscribes a URL, or replaces its event types',
  operationId: 'subscribe',
  description:
    'One subscription per (url, schema, table). On an address that is not loopback it needs the token, or PGSTREAM_WEBHOOK_LEGACY_OPEN.',
  body: Type.Object(
    {
      ...SCOPE,
      event_types: Type.Optional(
        Type.Array(TEXT, { maxItems: 20, description: 'I, U, D, T, M, or their names; empty: all.' }),
      ),
      secret: Type.Optional(
        Type.String({ description: 'Signs the deliveries; without one they are unsigned.' }),
      ),
      headers: Type.Optional(Type.Record(Type.String(), TEXT, { description: 'Sent with every delivery.' })),
    },
    { examples: [{ url: 'https://example.com/hook', schema: 'public', event_types: ['I', 'U'] }] },
  ),
  response: { 201: Null('Subscribed.'), 400: Refusal, 401: Refusal, 503: Away },
};

export const UNSUBSCRIBED = {
  tags,
  security,
  summary: 'Ends a subscription, if there is one',
  operationId: 'unsubscribe',
  body: Type.Object(SCOPE, { examples: [{ url: 'https://example.com/hook', schema: 'public' }] }),
  response: { 200: Null('It is gone.'), 400: Refusal, 401: Refusal, 503: Away },
};
