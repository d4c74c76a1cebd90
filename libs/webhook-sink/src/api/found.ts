import { clientCertificateUntil } from '../send/receiver-tls.ts';
import type { Subscription } from '../subscription.ts';
import type { WebhookApiOptions } from './api-options.ts';
import { Problem } from './problems.ts';

/** @returns finds a subscription by its id, or throws the 404. */
export function finderOf({ subscriptions }: WebhookApiOptions): (id: string) => Promise<Subscription> {
  return async (id) => {
    const subscription = await subscriptions.find(id);
    if (subscription === undefined) throw new Problem(404, `there is no subscription ${id}`);
    return subscription;
  };
}

/** As it is answered: without secrets, and of its headers the names. */
export function shown(subscription: Subscription) {
  const { secrets, headers, tls, failingSinceMs, createdAtMs, ...rest } = subscription;
  return {
    ...rest,
    headerNames: Object.keys(headers),
    signatures: secrets.length,
    tls:
      tls === null
        ? null
        : {
            ownCa: tls.ca !== undefined,
            clientCertificateUntil: clientCertificateUntil(tls)?.toISOString() ?? null,
          },
    failingSince: failingSinceMs === null ? null : new Date(failingSinceMs).toISOString(),
    createdAt: new Date(createdAtMs).toISOString(),
  };
}
