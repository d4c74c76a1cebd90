import { types } from 'node:util';
import { classify, codeOf, PipelineError, type ClassifyRule } from './errors.ts';

const CONNECTION_ERRNOS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  // A socket file that is not there: the server is not up (yet).
  'ENOENT',
]);

const TLS_CODE = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO$)/;

/**
 * SQLSTATE and errno to our codes. Two adapters speak to PostgreSQL and may not know each other, so the rules stand
 * beside the error table. Classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export const POSTGRES_RULES: readonly ClassifyRule[] = [
  // 57P01 to 57P03: shutting down, crashed, starting up. 57P05: idle session ended.
  {
    code: 'PG_UNREACHABLE',
    matches: (code) => /^(08...|57P0[1235])$/.test(code) || CONNECTION_ERRNOS.has(code),
  },
  { code: 'PG_OVERLOADED', matches: (code) => /^53...$/.test(code) },
  { code: 'PG_CONFLICT', matches: (code) => ['40001', '40P01', '55P03', '57014'].includes(code) },
  { code: 'PG_SLOT_ACTIVE', matches: (code) => code === '55006' },
  { code: 'PG_AUTH_FAILED', matches: (code) => /^28...$/.test(code) },
  { code: 'PG_TLS_FAILED', matches: (code) => TLS_CODE.test(code) },
  { code: 'PG_DATABASE_MISSING', matches: (code) => code === '3D000' },
  { code: 'PG_PRIVILEGE_MISSING', matches: (code) => code === '42501' },
  { code: 'PG_PREREQUISITE', matches: (code) => code === '55000' },
  { code: 'PG_OBJECT_MISSING', matches: (code) => ['42704', '42P01', '3F000'].includes(code) },
];

/**
 * What the `pg` driver threw, as one of our errors. The driver reports a connection that ended, or took too long to open, by
 * a plain `Error` without a code; its own programming errors are subclasses, which halt as unclassified.
 */
export function classifyPostgres(cause: unknown): PipelineError {
  const plain = types.isNativeError(cause) && cause.constructor.name === 'Error';
  if (plain && codeOf(cause) === '') return new PipelineError('PG_UNREACHABLE', { cause });
  const error = classify(cause, POSTGRES_RULES);
  if (error === cause || error.code === 'UNCLASSIFIED' || sqlStateOf(cause) === '') return error;
  // The server's own words name the object, the role or the setting. Those of other codes may quote row values.
  const words = types.isNativeError(cause) ? cause.message : '';
  return new PipelineError(error.code, { cause, detail: `Server: ${words}.` });
}

/** The SQLSTATE of a failure or of its nearest cause that has one; `''` without. */
export function sqlStateOf(failure: unknown): string {
  for (let cause = failure; types.isNativeError(cause); cause = cause.cause) {
    const code = cause instanceof PipelineError ? '' : codeOf(cause);
    if (/^(?=.*\d)[0-9A-Z]{5}$/.test(code)) return code;
  }
  return '';
}
