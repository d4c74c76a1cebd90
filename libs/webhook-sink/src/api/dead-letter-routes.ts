import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { LetterPage, Nothing, ParkedLetter } from './answers.ts';
import type { WebhookApiOptions } from './api-options.ts';
import { Problem } from './problems.ts';
import { LetterParams, LetterQuery, refTo } from './schemas.ts';

const tags = ['Dead letters'];

/** `/v1/dead-letters` */
export const deadLetterRoutes: FastifyPluginAsyncTypebox<WebhookApiOptions> = async (
  server,
  { retries, refresh },
) => {
  const listed = {
    tags,
    summary: 'Lists events that were given up, the oldest first',
    operationId: 'listDeadLetters',
    querystring: LetterQuery,
    response: { 200: refTo(LetterPage) },
  };
  server.get('', { schema: listed }, async ({ query }) => {
    const { limit = 100, after, subscription } = query;
    const items = await retries.deadLetters({
      limit,
      ...(after === undefined ? {} : { afterId: after }),
      ...(subscription === undefined ? {} : { subscriptionId: subscription }),
    });
    return { items, next: items.length === limit ? (items.at(-1)?.id ?? null) : null };
  });
  const retried = {
    tags,
    summary: 'Parks it again, due at once',
    operationId: 'retryDeadLetter',
    params: LetterParams,
    response: { 202: refTo(ParkedLetter) },
  };
  server.post('/:id/retry', { schema: retried }, async ({ params: { id } }, reply) => {
    if (!(await retries.retryDeadLetter(id))) throw new Problem(404, `there is no dead letter ${id}`);
    await refresh();
    return reply.code(202).send({ id, state: 'parked' as const });
  });
  const discarded = {
    tags,
    summary: 'Forgets it',
    operationId: 'discardDeadLetter',
    params: LetterParams,
    response: { 204: Nothing },
  };
  server.post('/:id/discard', { schema: discarded }, async ({ params: { id } }, reply) => {
    if (!(await retries.discardDeadLetter(id))) throw new Problem(404, `there is no dead letter ${id}`);
    return reply.code(204).send(null);
  });
};
