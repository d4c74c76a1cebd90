import { Buffer } from 'node:buffer';
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);

/** Fewer would be an attempt to make the password guessable (RFC 7677); more, to keep us busy. */
const MIN_ITERATIONS = 4096;
const MAX_ITERATIONS = 10_000_000;

export interface ScramCredentials {
  readonly hash: 'sha256' | 'sha512';
  readonly username: string;
  readonly password: string;
}

/**
 * One SCRAM conversation (RFC 5802) without channel binding.
 * @param exchange sends a message and resolves with the server's answer.
 * @throws {Error} when the server's answers are not those of a server that knows the password.
 */
export async function scramAuthenticate(
  credentials: ScramCredentials,
  exchange: (message: Buffer) => Promise<Buffer>,
  nonce = randomBytes(24).toString('base64'),
): Promise<void> {
  const name = credentials.username.replaceAll('=', '=3D').replaceAll(',', '=2C');
  const clientFirst = `n=${name},r=${nonce}`;
  const serverFirst = (await exchange(Buffer.from(`n,,${clientFirst}`))).toString();
  const challenge = parseChallenge(serverFirst, nonce);
  const clientFinal = `c=biws,r=${challenge.nonce}`;
  const transcript = `${clientFirst},${serverFirst},${clientFinal}`;
  const keys = await scramKeys(credentials, challenge, transcript);
  const answer = await exchange(Buffer.from(`${clientFinal},p=${keys.proof.toString('base64')}`));
  const signature = Buffer.from(field(answer.toString(), 'v') ?? '', 'base64');
  if (signature.length !== keys.serverSignature.length || !timingSafeEqual(signature, keys.serverSignature)) {
    throw new Error('the broker could not prove that it knows the password');
  }
}

interface Challenge {
  readonly nonce: string;
  readonly salt: Buffer;
  readonly iterations: number;
}

function parseChallenge(message: string, clientNonce: string): Challenge {
  const nonce = field(message, 'r') ?? '';
  const salt = Buffer.from(field(message, 's') ?? '', 'base64');
  const iterations = Number(field(message, 'i'));
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length || salt.length === 0) {
    throw new Error('the SCRAM challenge of the broker is malformed');
  }
  if (!(iterations >= MIN_ITERATIONS && iterations <= MAX_ITERATIONS)) {
    throw new Error(`the broker asks for ${iterations} SCRAM iterations`);
  }
  return { nonce, salt, iterations };
}

async function scramKeys({ hash, password }: ScramCredentials, challenge: Challenge, transcript: string) {
  const length = hash === 'sha256' ? 32 : 64;
  const salted = await derive(password.normalize('NFKC'), challenge.salt, challenge.iterations, length, hash);
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
  const clientKey = hmac(salted, 'Client Key');
  const storedKey = createHash(hash).update(clientKey).digest();
  const clientSignature = hmac(storedKey, transcript);
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (clientSignature[i] ?? 0)));
  return { proof, serverSignature: hmac(hmac(salted, 'Server Key'), transcript) };
}

function field(message: string, name: string): string | undefined {
  return message
    .split(',')
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}
