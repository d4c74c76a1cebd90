import { chmodSync, chownSync, copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPool, parseConnectionUrl, sessionConfig } from '@pgstream/postgres-client';
import { removeCluster, startPostgres, stopPostgres, waitFor, type PostgresServer } from '@pgstream/test-kit';

const file = (name: string) => join(__dirname, 'tls', name);

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ major: 17 });
  const owner = statSync(server.dataDir);
  for (const name of ['server.pem', 'server.key', 'ca.pem']) {
    const target = join(server.dataDir, name);
    copyFileSync(file(name), target);
    // The server refuses a key that others can read.
    chmodSync(target, 0o600);
    chownSync(target, owner.uid, owner.gid);
  }
  const access = join(server.dataDir, 'pg_hba.conf');
  writeFileSync(access, `hostssl all certuser 127.0.0.1/32 cert\n${readFileSync(access, 'utf8')}`);
  const pool = createPool(
    await sessionConfig(parseConnectionUrl(`${server.url}?sslmode=disable`, 'url'), {
      applicationName: 'test',
    }),
  );
  await pool.query('CREATE ROLE certuser LOGIN');
  for (const setting of [
    "ssl_cert_file = 'server.pem'",
    "ssl_key_file = 'server.key'",
    "ssl_ca_file = 'ca.pem'",
    'ssl = on',
  ]) {
    await pool.query(`ALTER SYSTEM SET ${setting}`);
  }
  await pool.query('SELECT pg_reload_conf()');
  await waitFor('TLS', async () => (await encrypted('require')) === true);
  await pool.end();
});

afterAll(async () => {
  await stopPostgres(server, 'SIGQUIT');
  removeCluster(server);
});

interface Attempt {
  readonly host?: string;
  readonly user?: string;
  readonly ca?: string;
  readonly more?: string;
}

/** Whether the session is encrypted; rejects where there is none. */
async function encrypted(
  sslMode: string,
  { host = '127.0.0.1', user = 'postgres:postgres', ca, more = '' }: Attempt = {},
) {
  const rootCert = ca === undefined ? '' : `&sslrootcert=${file(ca)}`;
  const url = `postgres://${user}@${host}:${server.port}/postgres?sslmode=${sslMode}${rootCert}${more}`;
  const pool = createPool(await sessionConfig(parseConnectionUrl(url, 'url'), { applicationName: 'test' }));
  try {
    const { rows } = await pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    return rows[0]?.['ssl'];
  } finally {
    await pool.end();
  }
}

test.each([
  ['disable', {}, false],
  ['allow', {}, true],
  ['prefer', {}, true],
  ['require', {}, true],
  ['require', { ca: 'ca.pem' }, true],
  ['verify-ca', { ca: 'ca.pem' }, true],
  ['verify-full', { ca: 'ca.pem', host: 'localhost' }, true],
])('sslmode=%s %j: encrypted is %s', async (mode, attempt, expected) => {
  await expect(encrypted(mode, attempt)).resolves.toBe(expected);
});

test.each([
  ['require', { ca: 'other-ca.pem' }],
  ['verify-ca', { ca: 'other-ca.pem' }],
  ['verify-ca', {}],
  ['verify-full', { ca: 'ca.pem' }],
])('sslmode=%s %j is refused as a matter of certificates', async (mode, attempt) => {
  await expect(encrypted(mode, attempt)).rejects.toMatchObject({ code: 'PG_TLS_FAILED', exitCode: 78 });
});

test('a client certificate is the password where the server asks for one', async () => {
  const more = `&sslcert=${file('certuser.pem')}&sslkey=${file('certuser.key')}`;
  await expect(encrypted('require', { user: 'certuser', more })).resolves.toBe(true);
  await expect(encrypted('require', { user: 'certuser' })).rejects.toMatchObject({ code: 'PG_AUTH_FAILED' });
});
