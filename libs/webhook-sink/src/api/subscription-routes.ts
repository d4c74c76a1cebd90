import { failpoint } from '@pgstream/failure';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { defaultSpec } from '../default-spec.ts';
import { tlsFault } from '../send/receiver-tls.ts';
import type { SubscriptionSpec } from '../store/subscription-store.ts';
import type { Subscription } from '../subscription.ts';
import { newSecret, schemeFault, secretFault } from '../wire/signature.ts';
import { MadeSubscription, Nothing, StatusBody, SubscriptionBody, SubscriptionPage } from './answers.ts';
import type { WebhookApiOptions } from './api-options.ts';
import { headerFault } from './checks.ts';
import { finderOf, shown, shownSecret } from './found.ts';
import { madeIdOf } from './idempotency.ts';
import { Problem } from './problems.ts';
import { IdParams, NewSubscription, PageQuery, refTo, SubscriptionPatch } from './schemas.ts';
import { statusOf } from './status.ts';

const tags = ['Subscriptions'];

/** `/v1/subscriptions`. Secrets are in no answer but that of the request which made them; headers by name only. */
export const subscriptionRoutes: FastifyPluginAsyncTypebox<WebhookApiOptions> = async (server, options) => {
  const { subscriptions } = options;
  const found = finderOf(options);
  const listed = {
    tags,
    summary: 'Lists subscriptions, in the order of their ids',
    operationId: 'listSubscriptions',
    querystring: PageQuery,
    response: { 200: refTo(SubscriptionPage) },
  };
  server.get('', { schema: listed }, async ({ query: { limit = 100, after } }) => {
    const page = await subscriptions.list({ limit, ...(after === undefined ? {} : { afterId: after }) });
    return { items: page.map(shown), next: page.length === limit ? (page.at(-1)?.id ?? null) : null };
  });
  addMaking(server, options);
  const read = {
    tags,
    summary: 'Reads a subscription',
    operationId: 'readSubscription',
    params: IdParams,
    response: { 200: refTo(SubscriptionBody) },
  };
  server.get('/:id', { schema: read }, async ({ params }) => shown(await found(params.id)));
  addChanging(server, options);
};

type Routes = Parameters<typeof subscriptionRoutes>[0];

const addChanging = (server: Routes, options: WebhookApiOptions): void => {
  const { subscriptions, refresh } = options;
  const found = finderOf(options);
  const changed = {
    tags,
    summary: 'Changes a subscription',
    operationId: 'changeSubscription',
    params: IdParams,
    body: refTo(SubscriptionPatch),
    response: { 200: refTo(SubscriptionBody) },
  };
  server.patch('/:id', { schema: changed }, async ({ params, body }) => {
    const before = await found(params.id);
    if (before.origin === 'legacy' && body.filters !== undefined) {
      throw new Problem(409, 'what it hears of was set by POST /webhooks/subscribe, and is changed there');
    }
    await subscriptions.update(params.id, checked(options, { ...before, ...body }));
    await refresh();
    return shown(await found(params.id));
  });
  const removed = {
    tags,
    summary: 'Removes a subscription, its parked events and dead letters',
    operationId: 'removeSubscription',
    params: IdParams,
    response: { 204: Nothing },
  };
  server.delete('/:id', { schema: removed }, async ({ params }, reply) => {
    if (!(await subscriptions.remove(params.id)))
      throw new Problem(404, `there is no subscription ${params.id}`);
    await refresh();
    return reply.code(204).send(null);
  });
  const status = {
    tags,
    summary: 'Where a subscription stands: cursors, lag, circuit, parked events, gaps',
    operationId: 'readStatus',
    params: IdParams,
    response: { 200: refTo(StatusBody) },
  };
  server.get('/:id/status', { schema: status }, async ({ params }) =>
    statusOf(await found(params.id), options),
  );
};

const addMaking = (server: Routes, options: WebhookApiOptions): void => {
  const { subscriptions, refresh } = options;
  const found = finderOf(options);
  const schema = {
    tags,
    summary: 'Makes a subscription: once it is answered, no later event is missed',
    operationId: 'makeSubscription',
    body: refTo(NewSubscription),
    response: { 201: refTo(MadeSubscription) },
  };
  server.post('', { schema }, async (request, reply) => {
    const { secret, scheme, signed = true, ...fields } = request.body;
    const fault = schemeFault({ secret, scheme, signed });
    if (fault !== undefined) throw new Problem(400, fault);
    const defaults = defaultSpec(fields.url, options.defaultTimeoutMs);
    const spec = checked(options, {
      ...defaults,
      ...fields,
      secrets: signed ? [secret ?? newSecret(scheme)] : [],
    });
    const start = { topic: options.topic, next: await options.positions.ends() };
    const id = await subscriptions.create(spec, start, madeIdOf(request));
    failpoint?.('webhook.subscribed');
    await refresh();
    const made: Subscription = await found(id);
    reply.code(201).header('location', `/v1/subscriptions/${id}`);
    return reply.send({ ...shown(made), secret: shownSecret(made.secrets[0]) });
  });
};

/** What no schema can say. */
function checked({ guard }: WebhookApiOptions, spec: SubscriptionSpec): SubscriptionSpec {
  const fault =
    guard.urlFault(spec.url) ??
    headerFault(spec.headers) ??
    tlsFault(spec.tls, spec.url) ??
    spec.secrets.map(secretFault).find((one) => one !== undefined);
  if (fault !== undefined) throw new Problem(400, fault);
  return spec;
}
