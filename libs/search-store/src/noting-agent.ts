import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';

const MAX_CODES = 64;

/**
 * Remembers the codes of socket errors by their message. The client wraps an error of a socket and keeps the message
 * alone, and failures are told apart by codes, never by words.
 */
export class ErrorCodes {
  readonly #codes = new Map<string, string>();

  watch(socket: Duplex | null | undefined): void {
    socket?.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === undefined) return;
      if (this.#codes.size >= MAX_CODES) this.#codes.clear();
      this.#codes.set(error.message, error.code);
    });
  }

  /** `''` where the message was not seen. */
  codeOf(message: string): string {
    return this.#codes.get(message) ?? '';
  }
}

const KEEP_ALIVE: AgentOptions = {
  keepAlive: true,
  keepAliveMsecs: 1000,
  maxSockets: 256,
  scheduling: 'lifo',
};

export class NotingHttpAgent extends HttpAgent {
  readonly #codes: ErrorCodes;

  constructor(codes: ErrorCodes) {
    super(KEEP_ALIVE);
    this.#codes = codes;
  }

  override createConnection(...args: Parameters<HttpAgent['createConnection']>): Duplex | null | undefined {
    const socket = super.createConnection(...args);
    this.#codes.watch(socket);
    return socket;
  }
}

export class NotingHttpsAgent extends HttpsAgent {
  readonly #codes: ErrorCodes;

  constructor(codes: ErrorCodes, tls: object) {
    super({ ...KEEP_ALIVE, ...tls });
    this.#codes = codes;
  }

  override createConnection(...args: Parameters<HttpsAgent['createConnection']>): Duplex | null | undefined {
    const socket = super.createConnection(...args);
    this.#codes.watch(socket);
    return socket;
  }
}
