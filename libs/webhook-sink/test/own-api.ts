import {
  AddressGuard,
  CursorStore,
  RetryStore,
  Sender,
  SubscriptionStore,
  WebhookApi,
} from '../src/index.ts';
import type { ApiRoute, WebhookApiOptions } from '../src/index.ts';
import type { OwnStore } from './own-store.ts';

export const TOKEN = 'a-token-of-this-test';

export interface Answered {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

/** The API of a notifier on a store of its own, without a worker. */
export class OwnApi {
  readonly url: string;
  /** What was answered with 500. */
  readonly unexpected: unknown[];
  readonly routes: readonly ApiRoute[];
  readonly #close: () => Promise<void>;

  private constructor(api: WebhookApi, url: string, unexpected: unknown[], close: () => Promise<void>) {
    this.routes = api.routes;
    this.url = url;
    this.unexpected = unexpected;
    this.#close = close;
  }

  static async start(store: OwnStore, changes: Partial<WebhookApiOptions> = {}): Promise<OwnApi> {
    const guard = new AddressGuard({
      allow: ['127.0.0.1'],
      httpsOnly: false,
      setting: 'PGSTREAM_WEBHOOK_ALLOW',
    });
    const sender = new Sender({ guard });
    const unexpected: unknown[] = [];
    const api = new WebhookApi({
      address: '127.0.0.1:0',
      token: TOKEN,
      legacyOpen: false,
      readTimeoutMs: 5_000,
      idleTimeoutMs: 5_000,
      defaultTimeoutMs: 5_000,
      version: 'test',
      topic: 'log',
      subscriptions: new SubscriptionStore(store.pool, store.box),
      cursors: new CursorStore(store.pool, 'log'),
      retries: new RetryStore(store.pool, 'log'),
      guard,
      sender,
      logEnds: () => Promise.resolve(new Map([[0, 5]])),
      refresh: () => Promise.resolve(),
      lanes: () => [],
      onUnexpected: (cause) => void unexpected.push(cause),
      ...changes,
    });
    const url = await api.listen();
    const close = async () => {
      await api.close();
      await sender.close();
    };
    return new OwnApi(api, url, unexpected, close);
  }

  /** @param body a text is sent as it is. @param token `null`: none. */
  async ask(method: string, path: string, body?: unknown, token: string | null = TOKEN): Promise<Answered> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
    });
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
