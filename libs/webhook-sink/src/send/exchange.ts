import type { Buffer } from 'node:buffer';
import type { Dispatcher } from 'undici';

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

/**
 * One request and its answer, of which no more than a little is read: without a stream, an iterator and an abort signal,
 * which together cost as much as the request does. Its time runs from {@link over} on, also while it waits for a socket.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #timeoutMs: number;
  #controller: Dispatcher.DispatchController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #request: Dispatcher.DispatchOptions | undefined;
  #answer: Answer | undefined;
  #bytes = 0;
  #fault: Error | undefined;
  #isEnded = false;
  #resolve: (answer: Answer) => void = () => {};
  #reject: (cause: Error) => void = () => {};

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** @throws LateError, and what the connection failed with. */
  over(agent: Dispatcher, request: Dispatcher.DispatchOptions): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#request = request;
      this.#timer = setTimeout(
        () => this.abort(new LateError(`no answer within ${this.#timeoutMs} ms`)),
        this.#timeoutMs,
      );
      agent.dispatch(request, this);
    });
  }

  /** Ends it without an answer, and its connection with it. */
  abort(fault: Error): void {
    this.#fault ??= fault;
    // While it waits for a socket, nothing but its turn takes it from the queue: what it holds is let go of.
    if (this.#controller === undefined && this.#request !== undefined) this.#request.body = null;
    this.#failed(fault);
    this.#controller?.abort(fault);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It came to its end while it waited for a socket: nothing of it is written.
    if (this.#fault !== undefined) controller.abort(this.#fault);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Answer['headers']): void {
    // 1xx: the answer is yet to come.
    if (status >= 200) this.#answer = { status, headers };
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= MAX_ANSWER_BYTES) return;
    this.onResponseEnd();
    controller.abort(new Error('the answer is longer than what is read of one'));
  }

  onResponseEnd(): void {
    const answer = this.#answer;
    if (answer === undefined) return this.#failed(new Error('an end without an answer'));
    if (this.#ended()) this.#resolve(answer);
  }

  onResponseError(_: Dispatcher.DispatchController, fault: Error): void {
    this.#failed(fault);
  }

  #failed(fault: Error): void {
    if (this.#ended()) this.#reject(fault);
  }

  /** False when it had ended before. */
  #ended(): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    return true;
  }
}
