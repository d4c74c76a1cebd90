import { BODY_FORMATS, OPERATIONS } from '../subscription.ts';

const header = (name: string, description: string, example: string, required = true) => ({
  name,
  in: 'header' as const,
  required,
  description,
  schema: { type: 'string' as const },
  example,
});

const ID = 'msg_1-00000016B374D848-0000000003-1';

/** The requests that subscribers get, for the section `webhooks` of the document. */
export const OUTGOING = {
  event: {
    post: {
      summary: 'An event, as a subscriber gets it',
      description: `The body depends on the subscription's \`format\`: ${BODY_FORMATS.join(', ')}. An event may come again, with the same webhook-id. Redirects are not followed.`,
      operationId: 'receiveEvent',
      parameters: [
        header('webhook-id', 'The same for every attempt of the event.', ID),
        header('webhook-timestamp', 'Seconds since 1970: the time of this attempt.', '1795165200'),
        header('webhook-signature', 'Of each valid secret one, by Standard Webhooks.', 'v1,K5oZfzN…', false),
        header('webhook-attempt', '1 for the first attempt.', '1'),
        header('idempotency-key', 'The webhook-id again.', ID),
        header('x-pgstream-lsn', 'Of the change itself; not unique.', '16/B374D848'),
      ],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              oneOf: [
                {
                  type: 'object' as const,
                  title: 'pgstream',
                  description: 'The record of docs/event-contract.md.',
                  required: ['Data'],
                  properties: { Data: { type: 'object' as const } },
                },
                {
                  type: 'object' as const,
                  title: 'standard',
                  required: ['type', 'timestamp', 'data'],
                  properties: {
                    type: { type: 'string' as const },
                    timestamp: { type: 'string' as const },
                    data: {
                      type: 'object' as const,
                      properties: {
                        id: { type: 'string' as const },
                        operation: { type: 'string' as const, enum: [...OPERATIONS] },
                        schema: { type: 'string' as const },
                        table: { type: 'string' as const },
                        lsn: { type: 'string' as const },
                        xid: { type: 'integer' as const },
                        new: { type: 'object' as const },
                        old: { type: 'object' as const },
                      },
                    },
                  },
                },
              ],
            },
            example: {
              type: 'public.orders.insert',
              timestamp: '2026-11-21T09:14:10.325235Z',
              data: { id: ID, operation: 'insert', schema: 'public', table: 'orders', new: { id: 1 } },
            },
          },
          'application/cloudevents+json': {
            schema: { type: 'object' as const, description: 'CloudEvents 1.0, with the same `data`.' },
          },
        },
      },
      responses: {
        '2XX': { description: 'Taken: it does not come again, unless the answer is lost.' },
        '410': { description: 'Nobody lives here any more: the subscription is disabled.' },
        default: { description: 'Not taken: it comes again later.' },
      },
    },
  },
};
