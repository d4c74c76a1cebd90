import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { replay } from '../replay/replay.ts';
import { newSecret, publicKeyOf, schemeFault, schemeOf, secretFault } from '../wire/signature.ts';
import { AttemptPage, ReplayBody, RotatedSecret, SubscriptionBody, TestResult } from './answers.ts';
import type { WebhookApiOptions } from './api-options.ts';
import { finderOf, shown, shownSecret } from './found.ts';
import { Problem } from './problems.ts';
import { AttemptQuery, IdParams, refTo, ReplayRequest, RotateSecret } from './schemas.ts';
import { sendTest } from './test-delivery.ts';

const DAY_S = 86_400;
const params = IdParams;
const tags = ['Operations'];

/** What is done with a subscription: `/v1/subscriptions/{id}/…`. */
export const operationRoutes: FastifyPluginAsyncTypebox<WebhookApiOptions> = async (server, options) => {
  const { subscriptions, refresh } = options;
  const found = finderOf(options);
  const response = { 200: refTo(SubscriptionBody) };
  const paused = { tags, summary: 'Delivers nothing more; the cursors stay', operationId: 'pause' };
  server.post('/:id/pause', { schema: { ...paused, params, response } }, async ({ params: { id } }) => {
    await found(id);
    await subscriptions.setState(id, 'paused', 'by request');
    await refresh();
    return shown(await found(id));
  });
  const resumed = { tags, summary: 'Goes on from the cursors, also after `disabled`', operationId: 'resume' };
  server.post('/:id/resume', { schema: { ...resumed, params, response } }, async ({ params: { id } }) => {
    await found(id);
    await subscriptions.setState(id, 'active', '');
    await refresh();
    return shown(await found(id));
  });
  const tested = {
    tags,
    summary: 'Sends one event of type pgstream.test, and says what became of it',
    operationId: 'test',
    params,
    response: { 200: refTo(TestResult) },
  };
  server.post('/:id/test', { schema: tested }, async ({ params: { id } }) =>
    sendTest(await found(id), options),
  );
  addRotation(server, options);
  addReplay(server, options);
  addAttempts(server, options);
};

type Routes = Parameters<typeof operationRoutes>[0];

const addRotation = (server: Routes, options: WebhookApiOptions): void => {
  const { subscriptions, refresh } = options;
  const found = finderOf(options);
  const schema = {
    tags,
    summary: 'Makes a new secret, which signs beside the old ones for a while',
    operationId: 'rotateSecret',
    params,
    body: refTo(RotateSecret),
    response: { 200: refTo(RotatedSecret) },
  };
  server.post('/:id/rotate-secret', { schema }, async ({ params: { id }, body }) => {
    const { secrets } = await found(id);
    const scheme = body.scheme ?? schemeOf(secrets[0] ?? '');
    const { secret = newSecret(scheme), overlapSeconds = DAY_S } = body;
    const fault = secretFault(secret) ?? schemeFault(body);
    if (fault !== undefined) throw new Problem(400, fault);
    const oldValidUntilMs = Date.now() + overlapSeconds * 1000;
    await subscriptions.rotateSecret(id, secret, oldValidUntilMs);
    await refresh();
    const publicKey = publicKeyOf(secret) ?? null;
    return { secret: shownSecret(secret), publicKey, oldValidUntil: new Date(oldValidUntilMs).toISOString() };
  });
};

const addReplay = (server: Routes, options: WebhookApiOptions): void => {
  const found = finderOf(options);
  const schema = {
    tags,
    summary: 'Moves the cursors back: events are delivered again, with the ids that they had',
    operationId: 'replay',
    params,
    body: refTo(ReplayRequest),
    response: { 202: refTo(ReplayBody) },
    description:
      'Partitions that had not come so far begin again where they are: none skips anything. 409 where retention has taken, or may have taken, some of what is asked for; nothing is moved then.',
  };
  server.post('/:id/replay', { schema }, async ({ params: { id }, body }, reply) => {
    await found(id);
    const partitions = await replay(id, body.from, options);
    await options.refresh();
    return reply.code(202).send({ id, partitions });
  });
};

const addAttempts = (server: Routes, options: WebhookApiOptions): void => {
  const found = finderOf(options);
  const schema = {
    tags,
    summary: 'Lists the newest attempts: failures, and some of what was delivered',
    operationId: 'listAttempts',
    params,
    querystring: AttemptQuery,
    response: { 200: refTo(AttemptPage) },
  };
  server.get('/:id/attempts', { schema }, async ({ params: { id }, query }) => {
    await found(id);
    const { limit = 100, after, status } = query;
    const failed = ['endpoint', 'event'] as const;
    const items = await options.attempts.ofSubscription({
      subscriptionId: id,
      outcomes: status === undefined ? [] : status === 'failed' ? failed : ['delivered'],
      limit,
      ...(after === undefined ? {} : { beforeId: after }),
    });
    return { items, next: items.length === limit ? (items.at(-1)?.id ?? null) : null };
  });
};
