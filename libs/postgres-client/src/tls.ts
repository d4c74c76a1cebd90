import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { classifyPostgres, PipelineError } from '@pgstream/failure';
import type { ConnectionSettings } from './connection-url.ts';

/** https://www.postgresql.org/docs/current/protocol-message-formats.html SSLRequest: length 8, code 80877103. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/**
 * What `pg` needs as `ssl` for the URL's sslmode. `allow` and `prefer` use TLS where the server offers it, without verifying;
 * the driver cannot fall back by itself, so the server is asked once beforehand.
 * @throws {PipelineError} PG_TLS_FAILED where TLS is demanded and not offered; PG_UNREACHABLE.
 */
export async function resolveTls(settings: ConnectionSettings): Promise<ConnectionOptions | false> {
  if (settings.sslMode === 'disable' || settings.host.startsWith('/')) return false;
  if (!(await offersTls(settings))) {
    if (settings.sslMode === 'allow' || settings.sslMode === 'prefer') return false;
    throw new PipelineError('PG_TLS_FAILED', {
      detail: `${settings.host}:${settings.port} does not offer TLS, and sslmode is ${settings.sslMode}.`,
    });
  }
  return tlsOptions(settings);
}

/** As libpq: a root certificate makes `require` verify like `verify-ca`. */
export function tlsOptions(settings: ConnectionSettings): ConnectionOptions {
  const { sslMode, ca, cert, key } = settings;
  const verify = sslMode.startsWith('verify') || (sslMode === 'require' && ca !== undefined);
  return {
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(verify && sslMode !== 'verify-full' ? { checkServerIdentity: () => undefined } : {}),
  };
}

function offersTls({ host, port, connectTimeoutMs }: ConnectionSettings): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (cause: unknown) => {
      socket.destroy();
      reject(classifyPostgres(cause));
    };
    socket.setTimeout(connectTimeoutMs, () =>
      fail(Object.assign(new Error('connect timeout'), { code: 'ETIMEDOUT' })),
    );
    socket.once('error', fail);
    socket.once('close', () => fail(Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
    socket.once('connect', () => socket.write(SSL_REQUEST));
    socket.once('data', (answer) => {
      resolve(answer[0] === 'S'.charCodeAt(0));
      socket.destroy();
    });
  });
}
