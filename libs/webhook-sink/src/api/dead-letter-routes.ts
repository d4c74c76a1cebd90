import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { WebhookApiOptions } from './api-options.ts';
import { Problem } from './problems.ts';
import { LetterParams, LetterQuery } from './schemas.ts';

/** `/v1/dead-letters` */
export const deadLetterRoutes: FastifyPluginAsyncTypebox<WebhookApiOptions> = async (
  server,
  { retries, refresh },
) => {
  server.get('/', { schema: { querystring: LetterQuery } }, async ({ query }) => {
    const { limit = 100, after, subscription } = query;
    const items = await retries.deadLetters({
      limit,
      ...(after === undefined ? {} : { afterId: after }),
      ...(subscription === undefined ? {} : { subscriptionId: subscription }),
    });
    return { items, next: items.length === limit ? (items.at(-1)?.id ?? null) : null };
  });
  server.post('/:id/retry', { schema: { params: LetterParams } }, async ({ params: { id } }, reply) => {
    if (!(await retries.retryDeadLetter(id))) throw new Problem(404, `there is no dead letter ${id}`);
    await refresh();
    return reply.code(202).send({ id, state: 'parked' });
  });
  server.post('/:id/discard', { schema: { params: LetterParams } }, async ({ params: { id } }, reply) => {
    if (!(await retries.discardDeadLetter(id))) throw new Problem(404, `there is no dead letter ${id}`);
    return reply.code(204).send();
  });
};
