import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConnectionUrl, SSL_MODES } from './connection-url.ts';
import { redactSecrets } from './redact.ts';
import { startupOptions } from './session.ts';
import { tlsOptions } from './tls.ts';

const parse = (url: string) => parseConnectionUrl(url, '--postgres-url');

const tls = (mode: string, more = '') => tlsOptions(parse(`postgres://u@h/db?sslmode=${mode}${more}`));

test('a full URL of either scheme', () => {
  for (const scheme of ['postgres', 'postgresql']) {
    const url = `${scheme}://replicador:Pass_Stream_2026@10.0.1.10:6543/ecommerce_db?sslmode=disable&application_name=a&options=-c%20x%3D1&connect_timeout=3`;
    expect(parse(url)).toEqual({
      host: '10.0.1.10',
      port: 6543,
      user: 'replicador',
      password: 'Pass_Stream_2026',
      database: 'ecommerce_db',
      sslMode: 'disable',
      applicationName: 'a',
      options: '-c x=1',
      connectTimeoutMs: 3000,
    });
  }
});

test('missing port, database and sslmode have the defaults of libpq', () => {
  expect(parse('postgres://postgres:postgres@localhost?sslmode=disable')).toMatchObject({
    port: 5432,
    database: 'postgres',
    user: 'postgres',
  });
  expect(parse('postgres://u@h/db')).toMatchObject({ sslMode: 'prefer', host: 'h' });
  expect(parse('postgres://u@h/db')).not.toHaveProperty('password');
  expect(parse('postgresql:///db?host=/var/run&user=me&port=1')).toMatchObject({
    host: '/var/run',
    user: 'me',
    port: 1,
  });
  expect(parse('postgres://u@[::1]:99/db')).toMatchObject({ host: '::1', port: 99 });
});

test('percent-encoded parts are decoded', () => {
  expect(parse('postgres://us%40er:p%3A%2F%40%25@h/my%2Ddb')).toMatchObject({
    user: 'us@er',
    password: 'p:/@%',
    database: 'my-db',
  });
});

test.each([
  ['mysql://u:hunter2@h/db', 'not a URL'],
  ['postgres://u:hunter2#x@h/db', 'percent-encoded'],
  ['postgres://u:hunter2@x@h/db', 'percent-encoded'],
  ['postgres://u:hunter2%zz@h/db', 'password'],
  ['postgres://u:hunter2@h:port/db', 'port'],
  ['postgres://u:hunter2@h:70000/db', 'port'],
  ['postgres://u:hunter2@h/db?sslmode=maybe', 'verify-full'],
  ['postgres://u:hunter2@h/db?ssl_mode=disable', 'unknown parameter "ssl_mode"'],
  ['postgres://u:hunter2@h/db?connect_timeout=soon', 'connect_timeout'],
  ['postgres://u:hunter2@h/db?sslrootcert=/nowhere/ca.pem', '/nowhere/ca.pem'],
])('%s names the setting and never the password', (url, words) => {
  const error = thrownBy(() => parse(url));
  expect(error).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 78 });
  expect(error.message).toContain('--postgres-url');
  expect(error.message).toContain(words);
  expect(error.message).not.toContain('hunter2');
});

test('certificates are read, and verification follows sslmode as in libpq', () => {
  const path = join(tmpdir(), `pgstream-ca-${process.pid}.pem`);
  writeFileSync(path, 'CA');
  expect(SSL_MODES.map((mode) => tls(mode).rejectUnauthorized)).toEqual([
    false,
    false,
    false,
    false,
    true,
    true,
  ]);
  expect(tls('require', `&sslrootcert=${path}`)).toMatchObject({ ca: 'CA', rejectUnauthorized: true });
  expect(tls('verify-ca')).toHaveProperty('checkServerIdentity');
  expect(tls('verify-full')).not.toHaveProperty('checkServerIdentity');
});

test('the pins come after the options of the URL', () => {
  expect(startupOptions('-c timezone=Asia/Tokyo', { timezone: 'UTC', a: 'b c' })).toBe(
    String.raw`-c timezone=Asia/Tokyo -c timezone=UTC -c a=b\ c`,
  );
});

test('passwords disappear from texts', () => {
  expect(redactSecrets("postgres://u:se:cr@et@h/db failed, password=x sslpassword='a b'")).toBe(
    'postgres://u:***@h/db failed, password=*** sslpassword=***',
  );
});

function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}
