import type { Buffer } from 'node:buffer';
import type { Dispatcher } from 'undici';
import type { Timed } from './deadlines.ts';

/** So much of an answer is read, so that the connection can be used again; longer ones cost the connection. */
const MAX_ANSWER_BYTES = 16 * 1024;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** What a request ended with that got no answer. */
export class LateError extends Error {
  override readonly name = 'LateError';
}

export interface ExchangeOptions {
  readonly request: Dispatcher.DispatchOptions;
  readonly startedAtMs: number;
  readonly timeoutMs: number;
  /** Called once, from within what undici calls: it must not throw, and had better be short. */
  readonly onEnd: (exchange: Exchange) => void;
}

/**
 * One request and its answer, of which no more than a little is read: without a stream, an iterator, a promise, a timer
 * and an abort signal, which together cost as much as the request does. Its time runs also while it waits for a socket.
 */
export class Exchange implements Dispatcher.DispatchHandler, Timed<Exchange> {
  readonly startedAtMs: number;
  readonly timeoutMs: number;
  /** Once it has ended. */
  endedAtMs = 0;
  /** What it ended with: an answer, or else a fault. */
  answer: Answer | undefined;
  fault: Error | undefined;
  order: unknown = undefined;
  earlier: Exchange | undefined = undefined;
  later: Exchange | undefined = undefined;
  readonly #request: Dispatcher.DispatchOptions;
  readonly #onEnd: ExchangeOptions['onEnd'];
  #controller: Dispatcher.DispatchController | undefined;
  #bytes = 0;
  #isEnded = false;

  constructor({ request, startedAtMs, timeoutMs, onEnd }: ExchangeOptions) {
    this.startedAtMs = startedAtMs;
    this.timeoutMs = timeoutMs;
    this.#request = request;
    this.#onEnd = onEnd;
  }

  over(agent: Dispatcher): void {
    agent.dispatch(this.#request, this);
  }

  expire(): void {
    this.abort(new LateError(`no answer within ${this.timeoutMs} ms`));
  }

  /** Ends it without an answer, and its connection with it. */
  abort(fault: Error): void {
    if (this.#isEnded) return;
    // While it waits for a socket, nothing but its turn takes it from the queue: what it holds is let go of.
    if (this.#controller === undefined) this.#request.body = null;
    this.#failed(fault);
    this.#controller?.abort(fault);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It came to its end while it waited for a socket: nothing of it is written.
    if (this.fault !== undefined) controller.abort(this.fault);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Answer['headers']): void {
    // 1xx: the answer is yet to come.
    if (status >= 200) this.answer = { status, headers };
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= MAX_ANSWER_BYTES) return;
    this.onResponseEnd();
    controller.abort(new Error('the answer is longer than what is read of one'));
  }

  onResponseEnd(): void {
    if (this.answer === undefined) this.#failed(new Error('an end without an answer'));
    else this.#end();
  }

  onResponseError(_: Dispatcher.DispatchController, fault: Error): void {
    this.#failed(fault);
  }

  #failed(fault: Error): void {
    if (this.#isEnded) return;
    this.fault = fault;
    this.#end();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.endedAtMs = performance.now();
    this.#onEnd(this);
  }
}
