import { PipelineError } from '@pgstream/failure';
import type {
  NewSubscription,
  ReplayFrom,
  ShownAttempt,
  ShownLetter,
  ShownMadeSubscription,
  ShownReplay,
  ShownRotatedSecret,
  ShownStatus,
  ShownSubscription,
  ShownTestResult,
} from '@pgstream/webhook-sink';
import type { PgstreamConfig } from '../../config/settings.ts';
import { ApiClient } from './api-client.ts';

interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

const PAGE = 500;
const WHOLE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws {PipelineError} CONFIG_INVALID where the settings name no token. */
export function openWebhooks({ webhook }: PgstreamConfig): Webhooks {
  const { token, apiUrl, address } = webhook;
  if (token === null) {
    throw new PipelineError('CONFIG_INVALID', {
      detail:
        'PGSTREAM_WEBHOOK_API_TOKEN (--webhook-api-token) is needed: the token that the notifier was started with.',
    });
  }
  return new Webhooks(new ApiClient({ url: (apiUrl ?? localUrl(address)).replace(/\/+$/, ''), token }));
}

/** Subscriptions through the API of a notifier. Ids may be cut short, as long as they name one subscription. */
export class Webhooks {
  readonly #api: ApiClient;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async subscriptions(): Promise<readonly ShownSubscription[]> {
    return await this.#all<ShownSubscription>('/subscriptions', {});
  }

  async add(made: NewSubscription, idempotencyKey?: string): Promise<ShownMadeSubscription> {
    const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    return await this.#api.ask('POST', '/subscriptions', { body: made, headers });
  }

  /** @returns its whole id. */
  async remove(id: string): Promise<string> {
    const whole = await this.#idOf(id);
    await this.#api.ask('DELETE', `/subscriptions/${whole}`);
    return whole;
  }

  async status(id: string): Promise<ShownStatus> {
    return await this.#api.ask('GET', `/subscriptions/${await this.#idOf(id)}/status`);
  }

  async test(id: string): Promise<ShownTestResult> {
    return await this.#do(id, 'test');
  }

  async pause(id: string): Promise<ShownSubscription> {
    return await this.#do(id, 'pause');
  }

  async resume(id: string): Promise<ShownSubscription> {
    return await this.#do(id, 'resume');
  }

  async rotateSecret(id: string, overlapSeconds?: number): Promise<ShownRotatedSecret> {
    return await this.#do(id, 'rotate-secret', overlapSeconds === undefined ? {} : { overlapSeconds });
  }

  async replay(id: string, from: ReplayFrom): Promise<ShownReplay> {
    return await this.#do(id, 'replay', { from });
  }

  /** The newest first. */
  async attempts(
    id: string,
    { limit, status }: { readonly limit: number; readonly status?: string },
  ): Promise<readonly ShownAttempt[]> {
    const path = `/subscriptions/${await this.#idOf(id)}/attempts`;
    const query: Record<string, string> = status === undefined ? {} : { status };
    return await this.#all(path, query, limit);
  }

  /** The oldest first. @param id of a subscription; none: of all. */
  async deadLetters({
    limit,
    id,
  }: {
    readonly limit: number;
    readonly id?: string | undefined;
  }): Promise<readonly ShownLetter[]> {
    const query: Record<string, string> = id === undefined ? {} : { subscription: await this.#idOf(id) };
    return await this.#all('/dead-letters', query, limit);
  }

  async settleDeadLetter(letterId: string, act: 'retry' | 'discard'): Promise<void> {
    await this.#api.ask('POST', `/dead-letters/${encodeURIComponent(letterId)}/${act}`);
  }

  async #do<T>(id: string, operation: string, body?: unknown): Promise<T> {
    const path = `/subscriptions/${await this.#idOf(id)}/${operation}`;
    return await this.#api.ask<T>('POST', path, body === undefined ? {} : { body });
  }

  async #all<T>(
    path: string,
    query: Readonly<Record<string, string>>,
    limit = Infinity,
  ): Promise<readonly T[]> {
    const found: T[] = [];
    let after: string | null = null;
    do {
      const pageSize = String(Math.min(PAGE, limit - found.length));
      const asked = new URLSearchParams({ ...query, limit: pageSize, ...(after === null ? {} : { after }) });
      // oxlint-disable-next-line no-await-in-loop -- where the next page begins is in this one
      const page: Page<T> = await this.#api.ask('GET', `${path}?${asked.toString()}`);
      found.push(...page.items);
      after = page.next;
    } while (after !== null && found.length < limit);
    return found;
  }

  async #idOf(id: string): Promise<string> {
    if (WHOLE_ID.test(id)) return id;
    const all = await this.subscriptions();
    const found = all.filter((one) => one.id.startsWith(id.toLowerCase()));
    const [only] = found;
    if (only !== undefined && found.length === 1) return only.id;
    const detail =
      found.length === 0
        ? `No subscription begins with ${id}.`
        : `${found.length} subscriptions begin with ${id}.`;
    throw new PipelineError('WEBHOOK_API_REFUSED', { detail });
  }
}

/** Where the API listens, as this machine calls it. */
function localUrl(address: string): string {
  const host = address.slice(0, address.lastIndexOf(':'));
  const isEverywhere = host === '' || host === '0.0.0.0' || host === '[::]';
  return `http://${isEverywhere ? 'localhost' : host}${address.slice(address.lastIndexOf(':'))}`;
}
