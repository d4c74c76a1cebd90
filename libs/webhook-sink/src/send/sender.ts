import type { Buffer } from 'node:buffer';
import { codeOf } from '@pgstream/failure';
import type { AddressGuard } from './address-guard.ts';
import { Agents } from './agents.ts';
import { Deadlines } from './deadlines.ts';
import { Exchange, LateError, type Answer } from './exchange.ts';
import type { ReceiverTls } from './receiver-tls.ts';

export interface Delivery {
  readonly url: string;
  /** Names and values, turn and turn about. */
  readonly headers: string[];
  readonly body: Buffer;
  /** Of the receiver; default the public authorities, and no certificate of ours. */
  readonly tls?: ReceiverTls | null;
  /** From the connection to the end of the answer. */
  readonly timeoutMs: number;
}

/** What became of one attempt: an endpoint that fails is no exception. */
export interface SendResult {
  readonly isDelivered: boolean;
  /** `null`: there was no answer. */
  readonly status: number | null;
  /**
   * Whose fault a failure seems to be. `endpoint`: it cannot take anything now. `event`: it answered, and refused this
   * one; others may fare better.
   */
  readonly fault: 'none' | 'endpoint' | 'event';
  /** For people; never the body of the answer. */
  readonly reason: string;
  /** As the endpoint asks for in `Retry-After`. */
  readonly retryAfterMs: number | null;
  /** 410: nobody lives here any more. */
  readonly isGone: boolean;
  readonly durationMs: number;
}

export interface SenderOptions {
  readonly guard: AddressGuard;
  readonly connectTimeoutMs?: number;
  /** Sockets to one host and port, over all subscriptions. */
  readonly maxSocketsPerOrigin?: number;
}

interface Target {
  readonly origin: string;
  readonly path: string;
}

const MAX_TARGETS = 10_000;
const EMPTY = { origin: '', pathname: '', search: '' };
const MAX_HEADER_BYTES = 16 * 1024;
/** Refused for now, by whoever stands in front of the endpoint too. */
const BUSY = new Set([408, 425, 429, 502, 503, 504]);

/** POSTs bodies. Redirects are not followed, answers not unpacked, and nothing is called that the guard refuses. */
export class Sender {
  readonly #guard: AddressGuard;
  readonly #agents: Agents;
  readonly #underWay = new Deadlines<Exchange>();
  /** What has ended since the event loop last came round, in its order. */
  #ended: Array<() => void> = [];
  /** Of the URLs that were sent to last. */
  readonly #targets = new Map<string, Target | string>();
  #isClosed = false;

  constructor({ guard, connectTimeoutMs = 5_000, maxSocketsPerOrigin = 64 }: SenderOptions) {
    this.#guard = guard;
    this.#agents = new Agents({
      connections: maxSocketsPerOrigin,
      pipelining: 1,
      keepAliveTimeout: 30_000,
      maxHeaderSize: MAX_HEADER_BYTES,
      // The whole attempt has one time limit.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: connectTimeoutMs, lookup: guard.lookup },
    });
  }

  /** Never rejects. */
  async send(delivery: Delivery): Promise<SendResult> {
    return await new Promise<SendResult>((resolve) => this.start(delivery, resolve));
  }

  /** @param onResult is called once and later, with nothing else on the stack. */
  start(
    { url, headers, body, tls = null, timeoutMs }: Delivery,
    onResult: (result: SendResult) => void,
  ): void {
    const startedAtMs = performance.now();
    const target = this.#isClosed ? 'stopped' : this.#targetOf(url);
    if (typeof target === 'string') {
      return this.#tellSoon(() => onResult(failed(target, performance.now() - startedAtMs)));
    }
    const { origin, path } = target;
    const exchange = new Exchange({
      request: { origin, path, method: 'POST', headers, body },
      startedAtMs,
      timeoutMs,
      onEnd: (ended) => {
        this.#underWay.delete(ended);
        this.#tellSoon(() => onResult(resultOf(ended)));
      },
    });
    this.#underWay.add(exchange);
    exchange.over(this.#agents.of(tls));
  }

  /** Requests under way end without an answer. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const exchange of this.#underWay.all()) exchange.abort(new Error('stopped'));
    this.#underWay.close();
    await this.#agents.destroy();
    // Nobody is told anything once it is closed.
    this.#tellAll();
  }

  /**
   * Not from within undici, which would take what is thrown for a fault of the request; and all that ended in one turn of
   * the event loop together, so that what they make room for is written in one go: a receiver that is woken for each request
   * by itself costs more than the request does.
   */
  #tellSoon(tell: () => void): void {
    if (this.#ended.push(tell) === 1) setImmediate(this.#tellAll);
  }

  readonly #tellAll = (): void => {
    const ended = this.#ended;
    this.#ended = [];
    let told = 0;
    try {
      for (const tell of ended) {
        told++;
        tell();
      }
    } finally {
      // Whoever threw took nothing from those behind it.
      for (const tell of ended.slice(told)) this.#tellSoon(tell);
    }
  };

  /** Where a URL leads, or why nothing is sent there. What its name resolves to is judged at each connection. */
  #targetOf(url: string): Target | string {
    const known = this.#targets.get(url);
    if (known !== undefined) return known;
    const { origin, pathname, search } = URL.canParse(url) ? new URL(url) : EMPTY;
    const target = this.#guard.urlFault(url) ?? { origin, path: `${pathname}${search}` };
    if (this.#targets.size >= MAX_TARGETS) this.#targets.clear();
    this.#targets.set(url, target);
    return target;
  }
}

function resultOf({ answer, fault, startedAtMs, endedAtMs }: Exchange): SendResult {
  const durationMs = endedAtMs - startedAtMs;
  if (fault === undefined && answer !== undefined) return judged(answer, durationMs);
  return failed(fault instanceof LateError ? fault.message : reasonOf(fault), durationMs);
}

function judged({ status, headers }: Answer, durationMs: number): SendResult {
  const isDelivered = status >= 200 && status < 300;
  const isRedirect = status >= 300 && status < 400;
  const location = isRedirect
    ? ` and Location ${oneOf(headers['location']) ?? '(none)'}; redirects are not followed`
    : '';
  return {
    isDelivered,
    status,
    fault: isDelivered ? 'none' : BUSY.has(status) ? 'endpoint' : 'event',
    reason: isDelivered ? '' : `answered ${status}${location.slice(0, 300)}`,
    retryAfterMs: isDelivered ? null : parseRetryAfter(oneOf(headers['retry-after']), Date.now()),
    isGone: status === 410,
    durationMs,
  };
}

function failed(reason: string, durationMs: number): SendResult {
  return {
    isDelivered: false,
    status: null,
    fault: 'endpoint',
    reason,
    retryAfterMs: null,
    isGone: false,
    durationMs,
  };
}

/** The code and, for our own refusal, the words. Messages of the network may quote what they got. */
function reasonOf(cause: unknown): string {
  const code = codeOf(cause);
  if (code === 'ADDRESS_REFUSED' && cause instanceof Error) return cause.message;
  return code === '' ? 'the connection failed' : `the connection failed: ${code}`;
}

/**
 * Seconds or an HTTP date as a wait; `null` without one, or for what is neither.
 * https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
