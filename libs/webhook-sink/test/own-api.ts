import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import {
  AddressGuard,
  AttemptStore,
  CursorStore,
  openApiDocument,
  RequestStore,
  RetryStore,
  Sender,
  SubscriptionStore,
  WebhookApi,
  type ApiRoute,
  type WebhookApiOptions,
} from '../src/index.ts';
import type { OwnStore } from './own-store.ts';

export const TOKEN = 'a-token-of-this-test';

export interface Answered {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

export interface Asked {
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

let document: Promise<object> | undefined;

/** The API on a store of its own; every answer of `/v1` is held to what the document says of it. */
export class OwnApi {
  readonly unexpected: unknown[] = [];
  readonly requests: RequestStore;
  readonly subscriptions: SubscriptionStore;
  readonly #api: WebhookApi;
  readonly #sender: Sender;
  readonly #document: Document;
  readonly #ajv: Ajv2020;
  url = '';

  private constructor(store: OwnStore, described: object, changes: Partial<WebhookApiOptions>) {
    const guard = new AddressGuard({
      allow: ['127.0.0.1'],
      httpsOnly: false,
      setting: 'PGSTREAM_WEBHOOK_ALLOW',
    });
    this.#sender = new Sender({ guard });
    this.requests = new RequestStore(store.pool, store.box);
    this.subscriptions = new SubscriptionStore(store.pool, store.box);
    const topic = changes.topic ?? 'log';
    this.#api = new WebhookApi({
      address: '127.0.0.1:0',
      token: TOKEN,
      legacyOpen: false,
      readTimeoutMs: 5_000,
      idleTimeoutMs: 5_000,
      defaultTimeoutMs: 5_000,
      version: 'test',
      topic,
      subscriptions: this.subscriptions,
      cursors: new CursorStore(store.pool, topic),
      retries: new RetryStore(store.pool, topic),
      attempts: new AttemptStore(store.pool, topic),
      requests: this.requests,
      positions: {
        starts: () => Promise.resolve(new Map([[0, 2]])),
        ends: () => Promise.resolve(new Map([[0, 5]])),
        offsetsAt: () => Promise.resolve(new Map([[0, 3]])),
        recordAt: () => Promise.resolve(undefined),
      },
      guard,
      sender: this.#sender,
      refresh: () => Promise.resolve(),
      lanes: () => [],
      onUnexpected: (cause) => void this.unexpected.push(cause),
      ...changes,
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the form of an OpenAPI document
    this.#document = described as Document;
    this.#ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema(described, 'document');
  }

  static async start(store: OwnStore, changes: Partial<WebhookApiOptions> = {}): Promise<OwnApi> {
    document ??= openApiDocument();
    const api = new OwnApi(store, await document, changes);
    api.url = await api.#api.listen();
    return api;
  }

  /** All that is served. */
  get routes(): readonly ApiRoute[] {
    return this.#api.routes;
  }

  async ask(method: string, path: string, body?: unknown, asked: Asked = {}): Promise<Answered> {
    const { token = TOKEN, headers = {} } = asked;
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
    });
    const answered = {
      status: answer.status,
      type: answer.headers.get('content-type'),
      text: await answer.text(),
    };
    if (path.startsWith('/v1')) this.#assertDocumented(method, path, answered);
    return answered;
  }

  /** The answer as JSON, whose status must be that of a success. */
  async made<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await this.ask(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    const value: T = JSON.parse(text);
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api.close();
    await this.#sender.close();
  }

  #assertDocumented(method: string, path: string, { status, type, text }: Answered): void {
    const template = this.#templateOf(path);
    const operation = this.#document.paths[template]?.[method.toLowerCase()];
    if (operation === undefined) return;
    const [media = ''] = (type ?? '').split(';');
    const described = operation.responses[status];
    const content = text === '' ? described : described?.content?.[media];
    if (content === undefined)
      throw new Error(`${method} ${template}: ${status} as ${media} is not documented: ${text}`);
    const place = ['paths', template, method.toLowerCase(), 'responses', status, 'content', media, 'schema'];
    if (text !== '') this.#assertForm(place, text);
  }

  #assertForm(path: readonly (string | number)[], text: string): void {
    const pointer = path
      .map((part) => encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    const validate: ValidateFunction = this.#ajv.compile({ $ref: `document#/${pointer}` });
    if (!validate(JSON.parse(text)))
      throw new Error(`${path.join(' ')}: ${this.#ajv.errorsText(validate.errors)} in ${text}`);
  }

  /** The path of the document that `path` is one of; empty: none. */
  #templateOf(path: string): string {
    const segments = path.replace(/\?.*/, '').split('/');
    const fits = (part: string, i: number) => part === segments[i] || part.startsWith('{');
    const templates = Object.keys(this.#document.paths).map((one) => one.split('/'));
    const found = templates.find((parts) => parts.length === segments.length && parts.every(fits));
    return found?.join('/') ?? '';
  }
}
