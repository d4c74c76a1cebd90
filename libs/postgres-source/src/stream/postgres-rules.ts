import type { ClassifyRule } from '@pgstream/failure';

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/**
 * SQLSTATE and errno of a replication connection, with what they mean while starting and streaming.
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export const STREAM_RULES: readonly ClassifyRule[] = [
  // 08: connection exceptions; 57P01-57P03: the server stops, crashed, or is starting; 57P05 and 25P0x: session timeouts
  { code: 'PG_UNREACHABLE', matches: (code) => NETWORK.has(code) || /^(08|57P0|25P0)/.test(code) },
  { code: 'PG_SLOT_ACTIVE', matches: (code) => code === '55006' },
  { code: 'PG_AUTH_FAILED', matches: (code) => code.startsWith('28') },
  { code: 'PG_DATABASE_MISSING', matches: (code) => code === '3D000' },
  { code: 'PG_PRIVILEGE_MISSING', matches: (code) => code === '42501' },
  // The slot was looked up before START, so what is missing in the stream is the publication: it is resolved in the
  // catalogue as of the change that is decoded
  { code: 'PG_PUBLICATION_MISSING', matches: (code) => code === '42704' },
  // 58P01: WAL that the slot needs is gone
  { code: 'PG_SLOT_LOST', matches: (code) => code === '58P01' },
  // 55000: the state of slot or server does not allow this, such as wal_level
  { code: 'PG_PREREQUISITE', matches: (code) => code === '55000' || code === '0A000' },
  { code: 'PG_OVERLOADED', matches: (code) => code.startsWith('53') || code.startsWith('58') },
  { code: 'PG_CONFLICT', matches: (code) => code === '57014' || code.startsWith('40') || code === '55P03' },
  {
    code: 'PG_TLS_FAILED',
    matches: (code) => /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO)/.test(code),
  },
];
