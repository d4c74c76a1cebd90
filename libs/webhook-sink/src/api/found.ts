import { clientCertificateUntil } from '../send/receiver-tls.ts';
import type { Subscription } from '../subscription.ts';
import { publicKeyOf } from '../wire/signature.ts';
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

/** A secret as whoever asked for it may see it: of a key pair only the public half leaves. */
export function shownSecret(secret: string | undefined): string | null {
  return secret === undefined || publicKeyOf(secret) !== undefined ? null : secret;
}

/** As it is answered: without secrets, and of its headers the names. */
export function shown(subscription: Subscription) {
  const { secrets, headers, tls, failingSinceMs, createdAtMs, ...rest } = subscription;
  return {
    ...rest,
    headerNames: Object.keys(headers),
    signatures: secrets.length,
    publicKeys: secrets.flatMap((secret) => publicKeyOf(secret) ?? []),
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
