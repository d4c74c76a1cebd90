import { Buffer } from 'node:buffer';
import { createPublicKey, verify } from 'node:crypto';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { newSecret, publicKeyOf, schemeFault, schemeOf, secretFault, sign } from './signature.ts';

const body = Buffer.from('{"type":"public.café.insert","data":{"n":9007199254740993}}');
const now = () => Math.floor(Date.now() / 1000);

function signed(secrets: readonly string[], timestampS = now()) {
  const id = 'msg_1-0000000000000008-0000000000-1';
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': sign({ id, timestampS, body }, secrets),
  };
}

describe.each([
  ['standardwebhooks', (secret: string) => new StandardWebhook(secret)],
  ['svix', (secret: string) => new SvixWebhook(secret)],
])('%s', (_name, verifierOf) => {
  test('verifies what we sign, byte for byte', () => {
    const secret = newSecret();
    const headers = signed([secret]);
    expect(() => verifierOf(secret).verify(body, headers)).not.toThrow();
    const changed = Buffer.from(body.toString().replace('insert', 'delete'));
    expect(() => verifierOf(secret).verify(changed, headers)).toThrow(/signature/i);
    expect(() => verifierOf(newSecret()).verify(body, headers)).toThrow(/signature/i);
  });

  test('during a rotation the old and the new secret verify', () => {
    const [older, newer] = [newSecret(), newSecret()];
    const headers = signed([newer, older]);
    for (const secret of [older, newer]) expect(() => verifierOf(secret).verify(body, headers)).not.toThrow();
  });

  test('an attempt of ten minutes ago is refused', () => {
    const secret = newSecret();
    expect(() => verifierOf(secret).verify(body, signed([secret], now() - 600))).toThrow(/old/i);
  });
});

test.each([
  ['whsec_', 'nothing'],
  ['secret', 'another prefix'],
  [`whsec_${Buffer.alloc(23).toString('base64')}`, '23 bytes'],
  [`whsec_${Buffer.alloc(65).toString('base64')}`, '65 bytes'],
  ['whsec_not base64 at all, though it is long enough', 'another alphabet'],
])('refuses %j: %s', (secret) => expect(secretFault(secret)).toContain('whsec_'));

test('accepts what it makes', () => expect(secretFault(newSecret())).toBeUndefined());

/** As a receiver does that has the public key and no library of ours: https://www.rfc-editor.org/rfc/rfc8410 */
function isSignedBy(publicKey: string, signature: string, message: string): boolean {
  const bytes = Buffer.from(publicKey.replace(/^whpk_/, ''), 'base64');
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return verify(null, Buffer.from(message), key, Buffer.from(signature.replace(/^v1a,/, ''), 'base64'));
}

const message = (headers: ReturnType<typeof signed>) =>
  `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body.toString()}`;

describe('ed25519', () => {
  const secret = newSecret('v1a');

  test('the public key verifies what the private one signs, byte for byte', () => {
    const headers = signed([secret]);
    const publicKey = publicKeyOf(secret) ?? '';
    expect(headers['webhook-signature']).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/);
    expect(isSignedBy(publicKey, headers['webhook-signature'], message(headers))).toBe(true);
    expect(isSignedBy(publicKey, headers['webhook-signature'], `${message(headers)} `)).toBe(false);
    const stranger = publicKeyOf(newSecret('v1a')) ?? '';
    expect(isSignedBy(stranger, headers['webhook-signature'], message(headers))).toBe(false);
  });

  test('the vector of RFC 8032, section 7.1, test 1: the seed makes this public key', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const expected = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
    const short = `whsk_${seed.toString('base64')}`;
    expect([secretFault(short), publicKeyOf(short)]).toEqual([
      undefined,
      `whpk_${expected.toString('base64')}`,
    ]);
    const whole = `whsk_${Buffer.concat([seed, expected]).toString('base64')}`;
    expect([secretFault(whole), publicKeyOf(whole)]).toEqual([undefined, publicKeyOf(short)]);
    const mixed = `whsk_${Buffer.concat([seed, Buffer.alloc(32)]).toString('base64')}`;
    expect(secretFault(mixed)).toContain('does not belong');
  });

  test('beside a shared secret both verify, and a library that knows the shared one only takes it', () => {
    const shared = newSecret();
    const headers = signed([secret, shared]);
    expect(() => new StandardWebhook(shared).verify(body, headers)).not.toThrow();
    const [own = ''] = headers['webhook-signature'].split(' ');
    expect(isSignedBy(publicKeyOf(secret) ?? '', own, message(headers))).toBe(true);
  });

  test.each([
    'whsk_',
    'whsk_!',
    `whsk_${Buffer.alloc(31).toString('base64')}`,
    `whsk_${Buffer.alloc(63).toString('base64')}`,
  ])('refuses %j', (key) => expect(secretFault(key)).toContain('whsk_'));

  test('what it makes is accepted, and a shared secret has no public half', () => {
    expect([secretFault(secret), schemeOf(secret)]).toEqual([undefined, 'v1a']);
    expect([publicKeyOf(newSecret()), schemeOf(newSecret())]).toEqual([undefined, 'v1']);
  });
});

test('a scheme that the secret or its absence contradicts is a fault; one that fits is none', () => {
  expect(schemeFault({ secret: newSecret(), scheme: 'v1a' })).toContain('one of v1');
  expect(schemeFault({ signed: false, scheme: 'v1a' })).toContain('not signed');
  expect(schemeFault({ secret: newSecret('v1a'), scheme: 'v1a' })).toBeUndefined();
  expect([schemeFault({ scheme: 'v1' }), schemeFault({ signed: false }), schemeFault({})]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
