import { codeOf, PipelineError } from '@pgstream/failure';

export interface ApiClientOptions {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string;
  /** How long an answer may take. Default 90 s: a test delivery may take one. */
  readonly timeoutMs?: number;
}

export interface ApiRequest {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Speaks with the webhook API: JSON, the token, and each of its refusals as an error of ours. */
export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  /**
   * @param path below `/v1`.
   * @throws {PipelineError} WEBHOOK_API_UNREACHABLE, WEBHOOK_API_DENIED, WEBHOOK_API_REFUSED, WEBHOOK_API_FAILED
   */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what the document of the API says
  async ask<T>(method: string, path: string, request: ApiRequest = {}): Promise<T> {
    const answer = await this.#send(method, path, request);
    const text = await answer.text().catch((cause: unknown) => {
      throw this.#unreachable(cause);
    });
    const isJson = /^application\/(problem\+)?json/.test(answer.headers.get('content-type') ?? '');
    if (!answer.ok) throw this.#refused(answer.status, isJson ? detailOf(text) : undefined);
    if (answer.status !== 204 && !isJson) throw this.#stranger(answer.status);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- there is nothing in a 204
    if (text === '') return undefined as T;
    const value: T = JSON.parse(text);
    return value;
  }

  async #send(method: string, path: string, { body, headers = {} }: ApiRequest): Promise<Response> {
    const { url, token, timeoutMs = 90_000 } = this.#options;
    try {
      return await fetch(`${url}/v1${path}`, {
        method,
        // The token is for this address alone.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          ...headers,
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw this.#unreachable(cause);
    }
  }

  #unreachable(cause: unknown): PipelineError {
    const { url, timeoutMs = 90_000 } = this.#options;
    // `fetch failed` says nothing; what it was is in its cause.
    const { name, cause: inner }: { name?: unknown; cause?: unknown } = Object(cause);
    const why = name === 'TimeoutError' ? `no answer within ${timeoutMs / 1000} s` : codeOf(inner);
    const detail = `${url}${why === '' ? '' : `: ${why}`}.`;
    return new PipelineError('WEBHOOK_API_UNREACHABLE', { cause: inner ?? cause, detail });
  }

  #refused(status: number, detail: string | undefined): PipelineError {
    if (detail === undefined) return this.#stranger(status);
    if (status === 401 || status === 403)
      return new PipelineError('WEBHOOK_API_DENIED', { detail: `${detail}.` });
    const code = status >= 500 ? 'WEBHOOK_API_FAILED' : 'WEBHOOK_API_REFUSED';
    return new PipelineError(code, { detail: `${detail}.` });
  }

  #stranger(status: number): PipelineError {
    const detail = `${this.#options.url} answers ${status} and is no webhook API: see PGSTREAM_WEBHOOK_API_URL.`;
    return new PipelineError(status >= 500 ? 'WEBHOOK_API_FAILED' : 'WEBHOOK_API_REFUSED', { detail });
  }
}

/** Of a problem; `undefined` for what is none. */
function detailOf(text: string): string | undefined {
  try {
    const { detail }: { detail?: unknown } = Object(JSON.parse(text));
    return typeof detail === 'string' ? detail : undefined;
  } catch {
    return undefined;
  }
}
