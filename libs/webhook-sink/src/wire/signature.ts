import { Buffer } from 'node:buffer';
import {
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign as signWith,
  type KeyObject,
} from 'node:crypto';
import { HmacSha256 } from './hmac.ts';

/** `v1`: a secret that both sides know. `v1a`: a key pair, of which receivers know the public half. */
export const SIGNATURE_SCHEMES = ['v1', 'v1a'] as const;
export type SignatureScheme = (typeof SIGNATURE_SCHEMES)[number];

const SHARED = 'whsec_';
const PRIVATE = 'whsk_';
const PUBLIC = 'whpk_';
const MIN_BYTES = 24;
const MAX_BYTES = 64;
const SEED_BYTES = 32;
const KEY_PAIR_BYTES = 64;
/** What stands before the seed in PKCS #8: https://www.rfc-editor.org/rfc/rfc8410#section-10.3 */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export function newSecret(scheme: SignatureScheme = 'v1'): string {
  if (scheme === 'v1') return SHARED + randomBytes(32).toString('base64');
  const seed = randomBytes(SEED_BYTES);
  return PRIVATE + Buffer.concat([seed, publicBytes(privateKey(seed))]).toString('base64');
}

export function schemeOf(secret: string): SignatureScheme {
  return secret.startsWith(PRIVATE) ? 'v1a' : 'v1';
}

/** Why `secret` cannot sign, for whoever sent it; `undefined` when it can. */
export function secretFault(secret: string): string | undefined {
  if (schemeOf(secret) === 'v1a') return keyPairFault(secret);
  const size = bytesOf(secret, SHARED)?.length ?? 0;
  return size >= MIN_BYTES && size <= MAX_BYTES
    ? undefined
    : `a secret is "${SHARED}" and ${MIN_BYTES} to ${MAX_BYTES} bytes in base64`;
}

/** Why what was asked for contradicts itself: a scheme is that of a secret which is made. */
export function schemeFault(asked: {
  readonly secret?: string | undefined;
  readonly scheme?: SignatureScheme | undefined;
  readonly signed?: boolean;
}): string | undefined {
  const { secret, scheme, signed = true } = asked;
  if (scheme === undefined) return undefined;
  if (!signed) return `scheme ${scheme}: deliveries that are not signed have none`;
  if (secret === undefined || schemeOf(secret) === scheme) return undefined;
  return `scheme ${scheme}: the secret that was sent is one of ${schemeOf(secret)}`;
}

/** What a receiver verifies with that must not know the secret: `whpk_…`; `undefined` for a shared secret. */
export function publicKeyOf(secret: string): string | undefined {
  if (schemeOf(secret) === 'v1') return undefined;
  return PUBLIC + publicBytes(privateKey(bytesOf(secret, PRIVATE) ?? Buffer.alloc(0))).toString('base64');
}

export interface SignedMessage {
  readonly id: string;
  /** Seconds since 1970: the time of the attempt. */
  readonly timestampS: number;
  /** The bytes exactly as they are sent. */
  readonly body: Buffer;
}

type Signer = (head: string, body: Buffer) => string;

/** By the list that a subscription keeps for as long as its secrets are the same. */
const signers = new WeakMap<readonly string[], readonly Signer[]>();

/** The value of `webhook-signature`: one signature per secret, so that a receiver needs to know only one of them. */
export function sign({ id, timestampS, body }: SignedMessage, secrets: readonly string[]): string {
  let known = signers.get(secrets);
  if (known === undefined) signers.set(secrets, (known = secrets.map(signerOf)));
  const head = `${id}.${timestampS}.`;
  return known.map((signer) => signer(head, body)).join(' ');
}

function signerOf(secret: string): Signer {
  if (schemeOf(secret) === 'v1a') {
    const key = privateKey(bytesOf(secret, PRIVATE) ?? Buffer.alloc(0));
    return (head, body) =>
      `v1a,${signWith(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64')}`;
  }
  const hmac = new HmacSha256(bytesOf(secret, SHARED) ?? Buffer.alloc(0));
  return (head, body) => `v1,${hmac.of(head, body)}`;
}

function keyPairFault(secret: string): string | undefined {
  const bytes = bytesOf(secret, PRIVATE);
  if (bytes?.length !== SEED_BYTES && bytes?.length !== KEY_PAIR_BYTES) {
    return `a private key is "${PRIVATE}" and the ${SEED_BYTES} bytes of an ed25519 seed in base64, or those and the ${SEED_BYTES} of its public key`;
  }
  const isPair =
    bytes.length === SEED_BYTES || publicBytes(privateKey(bytes)).equals(bytes.subarray(SEED_BYTES));
  return isPair ? undefined : `the public half of the "${PRIVATE}" key does not belong to its seed`;
}

function bytesOf(secret: string, prefix: string): Buffer | undefined {
  const encoded = secret.startsWith(prefix) ? secret.slice(prefix.length) : '';
  return /^[A-Za-z0-9+/]+={0,2}$/.test(encoded) ? Buffer.from(encoded, 'base64') : undefined;
}

function privateKey(bytes: Buffer): KeyObject {
  const key = Buffer.concat([PKCS8_HEAD, bytes.subarray(0, SEED_BYTES)]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

function publicBytes(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-SEED_BYTES);
}
