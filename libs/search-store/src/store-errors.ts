import { errors } from '@opensearch-project/opensearch';
import { PipelineError, type ErrorCode } from '@pgstream/failure';
import type { ErrorCodes } from './noting-agent.ts';

/** What the store said about a request or a bulk item that failed. */
export interface StoreProblem {
  readonly status: number;
  /** The store's machine-readable name: `mapper_parsing_exception`; `''` where it gave none. */
  readonly type: string;
  readonly reason: string;
}

/** https://nodejs.org/api/tls.html#x509-certificate-error-codes, and failed handshakes. */
const TLS_ERRORS =
  /^(ERR_TLS|ERR_SSL|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|EPROTO)/;

/** Wraps what the client threw, once. A problem of the transport is worth a retry; a refusal is judged by its status. */
export function storeError(cause: unknown, request: string, codes: ErrorCodes): PipelineError {
  if (cause instanceof PipelineError) return cause;
  if (cause instanceof errors.ResponseError) {
    const problem = problemOf(cause.meta.statusCode ?? 0, cause.meta.body);
    return new PipelineError(codeOfProblem(problem), {
      cause,
      detail: `${request} answered ${problem.status} ${problem.type}: ${problem.reason}`,
      facts: { status: problem.status, type: problem.type },
    });
  }
  if (cause instanceof errors.OpenSearchClientError) {
    const tls = TLS_ERRORS.test(codes.codeOf(cause.message));
    const code = tls ? 'SEARCH_TLS_INVALID' : 'SEARCH_UNREACHABLE';
    return new PipelineError(code, { cause, detail: `${request}: ${cause.message}` });
  }
  return new PipelineError('UNCLASSIFIED', { cause, detail: request });
}

/**
 * States of an index that somebody ends, and writing goes on: a full disk blocks indices (403 on OpenSearch), and an
 * index that is closed refuses every document (400), which says nothing about any of them.
 */
const OF_A_WHILE: ReadonlySet<string> = new Set(['cluster_block_exception', 'index_closed_exception']);

/** Which door a refusal goes through. Statuses that time can heal are retried, whatever the request was. */
export function codeOfProblem({ status, type }: StoreProblem): ErrorCode {
  if (status === 413) return 'SEARCH_BULK_TOO_LARGE';
  if (status === 429 || status >= 500 || OF_A_WHILE.has(type)) return 'SEARCH_UNREACHABLE';
  if (status === 401 || status === 403) return 'SEARCH_FORBIDDEN';
  return 'SEARCH_REQUEST_REFUSED';
}

/** The error of a response body, which may be a JSON object, a plain text (405 of unknown handlers) or empty. */
export function problemOf(status: number, body: unknown): StoreProblem {
  const error = errorMember(body);
  if (typeof error === 'string') return { status, type: '', reason: error };
  if (typeof error !== 'object' || error === null) {
    return { status, type: '', reason: typeof body === 'string' ? body.slice(0, 300) : '' };
  }
  const because = 'caused_by' in error ? textOf(error.caused_by, 'reason') : '';
  const reason = textOf(error, 'reason');
  return { status, type: textOf(error, 'type'), reason: because === '' ? reason : `${reason} (${because})` };
}

function textOf(object: unknown, member: string): string {
  if (typeof object !== 'object' || object === null) return '';
  const value: unknown = Reflect.get(object, member);
  return typeof value === 'string' ? value : '';
}

function errorMember(body: unknown): unknown {
  try {
    const parsed: unknown = typeof body === 'string' ? JSON.parse(body) : body;
    return typeof parsed === 'object' && parsed !== null && 'error' in parsed ? parsed.error : undefined;
  } catch {
    return undefined;
  }
}
