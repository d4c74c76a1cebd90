import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { SubscriptionSpec } from '../store/subscription-store.ts';
import type { Subscription } from '../subscription.ts';
import { newSecret, secretFault } from '../wire/signature.ts';
import { DEFAULT_MAX_IN_FLIGHT, type WebhookApiOptions } from './api-options.ts';
import { headerFault } from './checks.ts';
import { Problem } from './problems.ts';
import { IdParams, NewSubscription, PageQuery, RotateSecret, SubscriptionPatch } from './schemas.ts';
import { statusOf } from './status.ts';
import { sendTest } from './test-delivery.ts';

const DAY_S = 86_400;

/** `/v1/subscriptions`. Secrets are in no answer but that of the request which made them; headers by name only. */
export const subscriptionRoutes: FastifyPluginAsyncTypebox<WebhookApiOptions> = async (server, options) => {
  const { subscriptions, refresh } = options;
  const found = async (id: string): Promise<Subscription> => {
    const subscription = await subscriptions.find(id);
    if (subscription === undefined) throw new Problem(404, `there is no subscription ${id}`);
    return subscription;
  };
  server.get('/', { schema: { querystring: PageQuery } }, async ({ query: { limit = 100, after } }) => {
    const page = await subscriptions.list({ limit, ...(after === undefined ? {} : { afterId: after }) });
    return { items: page.map(shown), next: page.length === limit ? (page.at(-1)?.id ?? null) : null };
  });
  server.post('/', { schema: { body: NewSubscription } }, async ({ body }, reply) => {
    const { secret, signed = true, ...fields } = body;
    const secrets = signed ? [secret ?? newSecret()] : [];
    const spec = checked(options, { ...defaultsOf(options, body.url), ...fields, secrets });
    const id = await subscriptions.create(spec, { topic: options.topic, next: await options.logEnds() });
    await refresh();
    const made = { ...shown(await found(id)), secret: secrets[0] ?? null };
    return reply.code(201).header('location', `/v1/subscriptions/${id}`).send(made);
  });
  server.get('/:id', { schema: { params: IdParams } }, async ({ params }) => shown(await found(params.id)));
  server.patch(
    '/:id',
    { schema: { params: IdParams, body: SubscriptionPatch } },
    async ({ params, body }) => {
      const before = await found(params.id);
      if (before.origin === 'legacy' && body.filters !== undefined) {
        throw new Problem(409, 'what it hears of was set by POST /webhooks/subscribe, and is changed there');
      }
      await subscriptions.update(params.id, checked(options, { ...before, ...body }));
      await refresh();
      return shown(await found(params.id));
    },
  );
  server.delete('/:id', { schema: { params: IdParams } }, async ({ params }, reply) => {
    if (!(await subscriptions.remove(params.id)))
      throw new Problem(404, `there is no subscription ${params.id}`);
    await refresh();
    return reply.code(204).send();
  });
  server.get('/:id/status', { schema: { params: IdParams } }, async ({ params }) =>
    statusOf(await found(params.id), options),
  );
  addOperations(server, options, found);
};

const addOperations = (
  server: Parameters<FastifyPluginAsyncTypebox>[0],
  options: WebhookApiOptions,
  found: (id: string) => Promise<Subscription>,
): void => {
  const { subscriptions, refresh } = options;
  const schema = { params: IdParams };
  server.post('/:id/pause', { schema }, async ({ params: { id } }) => {
    await found(id);
    await subscriptions.setState(id, 'paused', 'by request');
    await refresh();
    return shown(await found(id));
  });
  server.post('/:id/resume', { schema }, async ({ params: { id } }) => {
    await found(id);
    await subscriptions.setState(id, 'active', '');
    await refresh();
    return shown(await found(id));
  });
  server.post('/:id/test', { schema }, async ({ params: { id } }) => sendTest(await found(id), options));
  server.post(
    '/:id/rotate-secret',
    { schema: { ...schema, body: RotateSecret } },
    async ({ params: { id }, body }) => {
      await found(id);
      const { secret = newSecret(), overlapSeconds = DAY_S } = body;
      const fault = secretFault(secret);
      if (fault !== undefined) throw new Problem(400, fault);
      const oldValidUntilMs = Date.now() + overlapSeconds * 1000;
      await subscriptions.rotateSecret(id, secret, oldValidUntilMs);
      await refresh();
      return { secret, oldValidUntil: new Date(oldValidUntilMs).toISOString() };
    },
  );
};

function defaultsOf({ defaultTimeoutMs }: WebhookApiOptions, url: string): SubscriptionSpec {
  return {
    url,
    description: '',
    origin: 'v1',
    legacy: null,
    format: 'standard',
    filters: [],
    ordering: 'key',
    maxInFlight: DEFAULT_MAX_IN_FLIGHT,
    ratePerSecond: null,
    timeoutMs: defaultTimeoutMs,
    headers: {},
    secrets: [],
  };
}

/** What no schema can say. */
function checked({ guard }: WebhookApiOptions, spec: SubscriptionSpec): SubscriptionSpec {
  const fault =
    guard.urlFault(spec.url) ??
    headerFault(spec.headers) ??
    spec.secrets.map(secretFault).find((one) => one !== undefined);
  if (fault !== undefined) throw new Problem(400, fault);
  return spec;
}

function shown(subscription: Subscription) {
  const { secrets, headers, failingSinceMs, createdAtMs, ...rest } = subscription;
  return {
    ...rest,
    headerNames: Object.keys(headers),
    signatures: secrets.length,
    failingSince: failingSinceMs === null ? null : new Date(failingSinceMs).toISOString(),
    createdAt: new Date(createdAtMs).toISOString(),
  };
}
