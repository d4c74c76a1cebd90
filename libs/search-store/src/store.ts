import type { ApiResponse, Client } from '@opensearch-project/opensearch';
import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import { invalidAnswer, isLikeObject, isObject, objectOf } from './answer.ts';
import { BULK_FILTER, readBulkResponse, type BulkResponse } from './bulk-response.ts';
import { createClient, type SearchConnection } from './connection.ts';
import { ErrorCodes } from './noting-agent.ts';
import { elementsOf, membersOf } from './raw-json.ts';
import { storeError } from './store-errors.ts';

export interface StoreInfo {
  readonly distribution: 'opensearch' | 'elasticsearch';
  readonly version: string;
  readonly clusterUuid: string;
}

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** Objects are sent as JSON; a Buffer or a string as it is. */
  readonly body?: object | string | Buffer;
  readonly ndjson?: boolean;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Statuses that are answers, not errors: 404 where absence is a fact. */
  readonly answers?: readonly number[];
  /** The answer may be any text: without it, what is no JSON object did not come from the API. */
  readonly anyText?: boolean;
}

export interface JsonRequestOptions extends RequestOptions {
  /** Whether an answer has the members that the API documents. */
  readonly isAnswer?: (answer: Readonly<Record<string, unknown>>) => boolean;
}

export interface StoreResponse {
  readonly status: number;
  /** The body as the server wrote it. */
  readonly text: string;
}

export interface DocumentAddress {
  readonly index: string;
  readonly id: string;
}

/** A document as it is stored: its `_source` is the text that was indexed, byte for byte. */
export interface StoredDocument {
  readonly version: string;
  readonly source: string;
}

/**
 * OpenSearch 2.x and 3.x, Elasticsearch 7.17 and 8, through the API that they share.
 *
 * One attempt per call: retries belong to the caller, who knows what may wait. Every failure is a `PipelineError`
 * of the `SEARCH_*` codes.
 */
export class SearchStore {
  #openSearch: boolean | undefined;
  readonly #client: Client;
  readonly #codes = new ErrorCodes();

  constructor(connection: SearchConnection) {
    this.#client = createClient(connection, this.#codes);
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<StoreResponse> {
    const { signal } = options;
    signal?.throwIfAborted();
    const pending = this.#client.transport.request(
      { method, path, querystring: { ...options.query }, ...contentOf(options) },
      clientOptions(options),
    );
    const abort = () => {
      pending.abort();
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const answer = responseOf(await pending);
      if (options.anyText !== true && !isLikeObject(answer.text))
        throw invalidAnswer(`${method} ${path}: ${answer.status}`, answer.text);
      return answer;
    } catch (cause) {
      signal?.throwIfAborted();
      throw storeError(cause, `${method} ${path}`, this.#codes);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * Parses the answer. For small administrative answers only.
   * @throws {PipelineError} SEARCH_ANSWER_INVALID
   */
  async json<T extends object>(method: string, path: string, options: JsonRequestOptions = {}): Promise<T> {
    const { text } = await this.request(method, path, options);
    const answer = objectOf(text, `${method} ${path}`);
    if (options.isAnswer?.(answer) === false) throw invalidAnswer(`${method} ${path}`, text);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names the API's documented answer
    return answer as T;
  }

  /**
   * Sends NDJSON as it is. Items are taken only where their index is an alias, so that a late item cannot make an
   * index. Items that failed are in the answer; a request that failed as a whole throws.
   * @param items how many there are in `body`
   */
  async bulk(
    body: Buffer,
    items: number,
    options: { timeoutMs?: number; refresh?: boolean; signal?: AbortSignal; requireAlias?: boolean } = {},
  ): Promise<BulkResponse> {
    const { refresh, requireAlias = true, timeoutMs, signal } = options;
    const { text } = await this.request('POST', '/_bulk', {
      query: {
        filter_path: BULK_FILTER,
        ...(requireAlias ? { require_alias: true } : {}),
        ...(refresh === true ? { refresh: true } : {}),
        ...(timeoutMs === undefined ? {} : { timeout: `${Math.ceil(timeoutMs)}ms` }),
      },
      body,
      ndjson: true,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(signal === undefined ? {} : { signal }),
    });
    return readBulkResponse(text, items);
  }

  /** The newest state of documents, refreshed or not, from the primary. `null` where there is no document. */
  async mget(
    addresses: readonly DocumentAddress[],
    signal?: AbortSignal,
  ): Promise<Array<StoredDocument | null>> {
    const { text } = await this.request('POST', '/_mget', {
      query: await this.newest(),
      body: { docs: addresses.map(({ index, id }) => ({ _index: index, _id: id })) },
      ...(signal === undefined ? {} : { signal }),
    });
    const docs = membersOf(text).find((member) => member.name === 'docs');
    const found = docs === undefined ? [] : elementsOf(text, docs.start);
    // A document that is left out would be taken for one that is not there.
    if (found.length !== addresses.length) throw invalidAnswer('_mget', text);
    return found.map(({ start }) => storedDocument(text, start));
  }

  /**
   * What makes a get by id show the newest state, refreshed or not. OpenSearch is asked for the primary, since replicas
   * that copy segments do not know what is not refreshed; Elasticsearch has no such replicas and no such preference.
   */
  async newest(): Promise<Record<string, string | boolean>> {
    return (await this.isOpenSearch()) ? { realtime: true, preference: '_primary' } : { realtime: true };
  }

  /** Asked once. OpenSearch always says what it is; an Elasticsearch made of its core alone has no page for that. */
  async isOpenSearch(): Promise<boolean> {
    if (this.#openSearch === undefined) {
      const { status, text } = await this.request('GET', '/', { answers: [400, 404, 405], anyText: true });
      this.#openSearch = status === 200 && text.includes('"opensearch"');
    }
    return this.#openSearch;
  }

  async info(signal?: AbortSignal): Promise<StoreInfo> {
    const answer = await this.json<{
      cluster_uuid?: string;
      version?: { distribution?: string; number?: string };
    }>('GET', '/', {
      isAnswer: ({ version }) => isObject(version),
      ...(signal === undefined ? {} : { signal }),
    });
    return {
      distribution: answer.version?.distribution === 'opensearch' ? 'opensearch' : 'elasticsearch',
      version: answer.version?.number ?? '',
      clusterUuid: answer.cluster_uuid ?? '',
    };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

function responseOf({ statusCode, body }: ApiResponse): StoreResponse {
  return { status: statusCode ?? 0, text: typeof body === 'string' ? body : '' };
}

function clientOptions({ timeoutMs, answers }: RequestOptions): {
  requestTimeout?: number;
  ignore?: number[];
} {
  return {
    ...(timeoutMs === undefined ? {} : { requestTimeout: timeoutMs }),
    ...(answers === undefined ? {} : { ignore: [...answers] }),
  };
}

function contentOf({ body, ndjson }: RequestOptions): { body?: string; bulkBody?: string } {
  if (body === undefined) return {};
  const raw = typeof body === 'string' || Buffer.isBuffer(body);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the client's types omit Buffer, which it sends as it is
  const content = (raw ? body : JSON.stringify(body)) as string;
  return ndjson === true ? { bulkBody: content } : { body: content };
}

function storedDocument(text: string, start: number): StoredDocument | null {
  let version = '';
  let source: string | null = null;
  for (const member of membersOf(text, start)) {
    const value = text.slice(member.start, member.end);
    if (member.name === '_version') version = value;
    else if (member.name === '_source') source = value;
    else if (member.name === 'error') {
      // An index that is gone has no documents; whether that may be is for the caller to know.
      if (!value.includes('index_not_found'))
        throw new PipelineError('SEARCH_UNREACHABLE', { detail: `_mget: ${value.slice(0, 300)}` });
    }
  }
  return source === null ? null : { version, source };
}
