import { Buffer } from 'node:buffer';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { newSecret, secretFault, sign } from './signature.ts';

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
