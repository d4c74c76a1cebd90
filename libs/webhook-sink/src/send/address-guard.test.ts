import type { LookupAddress } from 'node:dns';
import { AddressGuard } from './address-guard.ts';

const guardOf = (...allow: string[]) => new AddressGuard({ allow, httpsOnly: false, setting: 'ALLOW' });

test.each([
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://0/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[fd00::1]/',
  'http://[fe80::1]/',
  'http://169.254.169.254/',
  'http://100.64.0.1/',
  'http://192.168.1.1/',
  'http://224.0.0.1/',
])('%s is not called unless it is allowed', (url) => {
  expect(guardOf().urlFault(url)).toMatch(/is not a public address; ALLOW can allow it/);
});

test.each([
  'http://93.184.216.34/',
  'https://example.com/a?b',
  'http://[2606:2800:220:1:248:1893:25c8:1946]/',
])('%s may be called', (url) => expect(guardOf().urlFault(url)).toBeUndefined());

test('ranges and addresses can be allowed, in every spelling of the address', () => {
  const guard = guardOf('10.0.0.0/8', '127.0.0.1', 'fd00::/8');
  for (const url of [
    'http://10.9.9.9/',
    'http://2130706433/',
    'http://[::ffff:10.0.0.1]/',
    'http://[fd00::1]/',
  ]) {
    expect(guard.urlFault(url)).toBeUndefined();
  }
  expect(guard.urlFault('http://127.0.0.2/')).toContain('not a public address');
});

test('https only, and no credentials', () => {
  const guard = new AddressGuard({ allow: [], httpsOnly: true, setting: 'ALLOW' });
  expect(guard.urlFault('http://example.com/')).toContain('only https');
  expect(guard.urlFault('https://u@example.com/')).toContain('credentials');
});

test('an entry that is neither address, range nor host is refused', () => {
  expect(() => guardOf('10.0.0.0/99')).toThrow('10.0.0.0/99');
});

const resolved = (guard: AddressGuard, host: string) =>
  new Promise<{ error: Error | null; found: string | LookupAddress[] }>((resolve) =>
    guard.lookup(host, { all: true }, (error, found) => resolve({ error, found })),
  );

test('a name is judged by what it resolves to, unless the name is allowed', async () => {
  const { error } = await resolved(guardOf(), 'localhost');
  expect(error).toMatchObject({ code: 'ADDRESS_REFUSED' });
  const { error: none, found } = await resolved(guardOf('localhost'), 'LOCALHOST');
  expect([none, found.length > 0]).toEqual([null, true]);
});
