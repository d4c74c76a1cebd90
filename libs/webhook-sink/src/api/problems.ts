import { Buffer } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import { PipelineError } from '@pgstream/failure';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';

/** Answered as it is: what the caller can mend. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

/** https://www.rfc-editor.org/rfc/rfc9457 */
export function sendProblem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  const title = STATUS_CODES[status] ?? 'Error';
  return reply
    .code(status)
    .type('application/problem+json')
    .send(Buffer.from(JSON.stringify({ type: 'about:blank', title, status, detail })));
}

export interface Fault {
  readonly status: number;
  readonly detail: string;
}

/** Status and words for anything thrown; the words of failures of ours name code and remedy, never a URL or value. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Problem) return { status: error.status, detail: error.message };
  if (error instanceof PipelineError) {
    return { status: 503, detail: `${error.code}: ${error.action}` };
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- looked at, not trusted
  const { statusCode, validation, message } = error as Partial<FastifyError>;
  if (validation !== undefined) return { status: 400, detail: message ?? 'malformed' };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return { status: statusCode, detail: message ?? 'refused' };
  }
  return { status: 500, detail: 'an unexpected failure; the log of the notifier has it' };
}

export function answerProblems(server: FastifyInstance, onUnexpected: (cause: unknown) => void): void {
  server.setErrorHandler((error, _request, reply) => {
    const { status, detail } = faultOf(error);
    if (status === 500) onUnexpected(error);
    return sendProblem(reply, status, detail);
  });
  server.setNotFoundHandler((_request, reply) => sendProblem(reply, 404, 'there is no such path or method'));
}
