import { Buffer } from 'node:buffer';
import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export function newSecret(): string {
  return PREFIX + randomBytes(32).toString('base64');
}

/** Why `secret` cannot sign, for whoever sent it; `undefined` when it can. */
export function secretFault(secret: string): string | undefined {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : undefined;
  const isBase64 = encoded !== undefined && /^[A-Za-z0-9+/]+={0,2}$/.test(encoded);
  const size = isBase64 ? Buffer.from(encoded, 'base64').length : 0;
  return size >= MIN_BYTES && size <= MAX_BYTES
    ? undefined
    : `a secret is "whsec_" and ${MIN_BYTES} to ${MAX_BYTES} bytes in base64`;
}

export interface SignedMessage {
  readonly id: string;
  /** Seconds since 1970: the time of the attempt. */
  readonly timestampS: number;
  /** The bytes exactly as they are sent. */
  readonly body: Buffer;
}

/** The value of `webhook-signature`: one signature per secret, so that a receiver needs to know only one of them. */
export function sign({ id, timestampS, body }: SignedMessage, secrets: readonly string[]): string {
  const head = `${id}.${timestampS}.`;
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
      return `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`;
    })
    .join(' ');
}
