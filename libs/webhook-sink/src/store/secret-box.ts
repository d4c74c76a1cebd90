import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { PipelineError } from '@pgstream/failure';

const FORM = 1;
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;

interface SealingKey {
  readonly id: Buffer;
  readonly bytes: Buffer;
}

/**
 * Seals small texts with AES-256-GCM: `1 | key id (4) | nonce (12) | tag (16) | ciphertext`. The first key seals, every
 * key opens, so that keys can be replaced one after the other. What is sealed for one owner does not open for another.
 */
export class SecretBox {
  readonly #keys: readonly SealingKey[];

  /**
   * @param keys 32 bytes each, in base64 or hex, the one to seal with first.
   * @param setting where they come from, for messages.
   * @throws {PipelineError} CONFIG_INVALID, without the key.
   */
  constructor(keys: readonly string[], setting: string) {
    this.#keys = keys.map((text, at) => {
      const bytes = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64');
      if (bytes.length !== 32) {
        const detail = `${setting}: key ${at + 1} is not 32 bytes in base64 or hex; make one with: openssl rand -base64 32.`;
        throw new PipelineError('CONFIG_INVALID', { detail });
      }
      return { bytes, id: createHash('sha256').update(bytes).digest().subarray(0, KEY_ID_BYTES) };
    });
  }

  /** @throws {PipelineError} WEBHOOK_SECRET_KEY_MISSING */
  seal(text: string, owner: string): Buffer {
    const [key] = this.#keys;
    if (key === undefined) throw new PipelineError('WEBHOOK_SECRET_KEY_MISSING');
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(FORM), key.id, nonce, cipher.getAuthTag(), sealed]);
  }

  /** @throws {PipelineError} WEBHOOK_SECRET_UNREADABLE */
  open(sealed: Buffer, owner: string): string {
    const id = sealed.subarray(1, 1 + KEY_ID_BYTES);
    const key = this.#keys.find((one) => one.id.equals(id));
    if (key === undefined || sealed[0] !== FORM || sealed.length < HEAD_BYTES) throw unreadable(owner);
    const nonceEnd = 1 + KEY_ID_BYTES + NONCE_BYTES;
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, sealed.subarray(1 + KEY_ID_BYTES, nonceEnd))
      .setAAD(Buffer.from(owner))
      .setAuthTag(sealed.subarray(nonceEnd, HEAD_BYTES));
    try {
      return decipher.update(sealed.subarray(HEAD_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch (cause) {
      throw unreadable(owner, cause);
    }
  }
}

function unreadable(owner: string, cause?: unknown): PipelineError {
  return new PipelineError('WEBHOOK_SECRET_UNREADABLE', { cause, detail: `Subscription ${owner}.` });
}
