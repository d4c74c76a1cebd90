import { createHash } from 'node:crypto';
import { Buffer } from 'node:buffer';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestStore } from '../store/request-store.ts';
import { Problem } from './problems.ts';

export const IDEMPOTENCY_HEADER = 'idempotency-key';
/** Says that this is the answer to an earlier request. */
const REPLAYED_HEADER = 'idempotent-replayed';

interface Begun {
  readonly key: string;
  readonly madeId: string;
}

const begun = new WeakMap<FastifyRequest, Begun>();

/** The id for what this request makes; `undefined` leaves it to the store. */
export function madeIdOf(request: FastifyRequest): string | undefined {
  return begun.get(request)?.madeId;
}

/**
 * A POST with an Idempotency-Key is done once: asked for again within a day, it is answered as it was. Only what succeeded
 * is kept; what failed may be tried again with the same key.
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export function answerOnce(server: FastifyInstance, requests: RequestStore): void {
  server.addHook('preHandler', async (request, reply) => {
    const key = request.headers[IDEMPOTENCY_HEADER];
    if (request.method !== 'POST' || typeof key !== 'string') return undefined;
    const claim = await requests.claim(key, fingerprintOf(request));
    switch (claim.state) {
      case 'ours':
        begun.set(request, { key, madeId: claim.madeId });
        return undefined;
      case 'answered':
        return answerAgain(reply, claim.answer);
      case 'busy':
        throw new Problem(409, 'a request with this Idempotency-Key is being done: ask again in a moment');
      case 'taken':
        throw new Problem(422, 'this Idempotency-Key belongs to another request: choose another one');
      default:
        return claim satisfies never;
    }
  });
  server.addHook('onSend', async (request, reply, payload) => {
    const claim = begun.get(request);
    if (claim === undefined) return;
    begun.delete(request);
    const { statusCode: status } = reply;
    if (status < 200 || status >= 300) return await requests.release(claim.key);
    const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.toString() : '';
    const location = String(reply.getHeader('location') ?? '');
    await requests.answer(claim.key, { status, body, location });
  });
}

function answerAgain(
  reply: FastifyReply,
  { status, body, location }: { readonly status: number; readonly body: string; readonly location: string },
): FastifyReply {
  reply.code(status).header(REPLAYED_HEADER, 'true');
  if (location !== '') reply.header('location', location);
  return body === '' ? reply.send() : reply.type('application/json; charset=utf-8').send(Buffer.from(body));
}

function fingerprintOf({ method, url, body }: FastifyRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([method, url, body ?? null]))
    .digest('hex');
}
