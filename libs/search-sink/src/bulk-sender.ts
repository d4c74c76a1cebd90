import { classify, type Clock, failpoint, PipelineError } from '@pgstream/failure';
import { codeOfProblem, type BulkFailure, type BulkResponse, type SearchStore } from '@pgstream/search-store';
import type { Chunk } from './chunk.ts';
import type { SearchObserver } from './observer.ts';
import { longestWaitMs, type Backoff } from './steady.ts';
import type { PhysicalIndex, TableIndex } from './table-index.ts';

export interface Refusal {
  readonly chunk: Chunk;
  readonly action: number;
  readonly code: 'SEARCH_DOCUMENT_REFUSED' | 'SEARCH_BULK_TOO_LARGE';
  readonly reason: string;
}

/** What the sink does about answers that a bulk alone cannot judge. */
export interface BulkHooks {
  /** Resolves when the documents are durably parked. */
  park(refusals: readonly Refusal[]): Promise<void>;
  /** The alias of this table was not there: `gone` when the table was dropped, `again` when it is there now. */
  missingIndex(table: TableIndex, signal: AbortSignal): Promise<'gone' | 'again'>;
  /** How long it is worth waiting before it is sent: until the bulk may carry a refresh. 0 where it is not. */
  holdMs(chunk: Chunk): number;
  /** Whether a bulk to these indices is to refresh them; {@link carried} is called when it has been answered. */
  carry(indices: ReadonlySet<PhysicalIndex>, documents: number): boolean;
  carried(indices: ReadonlySet<PhysicalIndex>, done: boolean): void;
  /** A chunk is durable, and visible to searches if `refreshed`. */
  written(indices: ReadonlySet<PhysicalIndex>, documents: number, refreshed: boolean): void;
}

export interface BulkSenderOptions {
  readonly store: SearchStore;
  readonly observer: SearchObserver;
  readonly hooks: BulkHooks;
  readonly bulkTimeoutMs: number;
  readonly mayWrite: () => Promise<boolean>;
  readonly backoff: Backoff;
  readonly clock: Clock;
}

const OWNERSHIP_POLL_MS = 100;

/** Sends a chunk until each of its actions is durable, parked or found to be late. */
export class BulkSender {
  readonly #options: BulkSenderOptions;
  readonly #stop = new AbortController();
  #attempt = new AbortController();
  #waitMs = 0;
  #longestMs = 0;
  /** Whether the chunk sent last was refreshed with its bulk, all of it. */
  refreshed = false;

  constructor(options: BulkSenderOptions) {
    this.#options = options;
  }

  /** Cuts the request in flight off; what is left of the chunk is sent again at once. */
  restart(): void {
    this.#attempt.abort();
  }

  stop(): void {
    this.#stop.abort();
    this.#attempt.abort();
  }

  /** `null` when the chunk is done; otherwise what halts everything. */
  async send(chunk: Chunk): Promise<PipelineError | null> {
    this.#waitMs = 0;
    try {
      let actions = chunk.liveActions();
      while (actions.length > 0) {
        // oxlint-disable-next-line no-await-in-loop -- retries of a bulk keep the order of its lane
        const again = await this.#round(chunk, actions);
        if (again.length > 0 && this.#waitMs > 0) await this.#pause();
        actions = again.filter((at) => !chunk.isDead(at));
      }
      return null;
    } catch (cause) {
      return classify(cause, []);
    }
  }

  /** One request, or two halves of one that was too large. Answers the actions that must be sent again. */
  async #round(chunk: Chunk, actions: readonly number[]): Promise<readonly number[]> {
    this.#stop.signal.throwIfAborted();
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    try {
      return await this.#request(chunk, actions, signal);
    } catch (cause) {
      if (signal.aborted && !this.#stop.signal.aborted) return actions;
      const error = classify(cause, []);
      if (error.code === 'SEARCH_BULK_TOO_LARGE') return this.#split(chunk, actions, error);
      if (error.disposition !== 'retry') throw error;
      this.#backOff(error, actions.length);
      return actions;
    }
  }

  async #request(chunk: Chunk, actions: readonly number[], signal: AbortSignal): Promise<readonly number[]> {
    const { observer, mayWrite, clock } = this.#options;
    // Not ours at the moment: what is lost is revoked and cut off, what is not goes on.
    // oxlint-disable-next-line no-await-in-loop -- until one or the other
    while (!(await mayWrite())) await clock.sleep(OWNERSHIP_POLL_MS, signal);
    signal.throwIfAborted();
    // After the question: the answer is for lanes that are ours now, and may be for a later ownership of theirs.
    chunk.killForeign();
    const ours = actions.filter((at) => !chunk.isDead(at));
    if (ours.length < actions.length) return ours;
    const body = chunk.bodyOf(actions);
    failpoint?.('search.bulk-before');
    const begun = clock.now();
    const { failures } = await this.#post(chunk, actions.length, body, signal);
    failpoint?.('search.bulk-after');
    observer.bulk({ documents: actions.length, bytes: body.length, durationMs: clock.now() - begun });
    const again = failures.length === 0 ? [] : await this.#judge(chunk, actions, failures);
    if (again.length === 0) this.#waitMs = 0;
    this.#count(chunk, actions, failures);
    return again;
  }

  async #post(chunk: Chunk, documents: number, body: Buffer, signal: AbortSignal): Promise<BulkResponse> {
    const { store, bulkTimeoutMs: timeoutMs, hooks } = this.#options;
    const indices = chunk.indices();
    const refresh = documents === chunk.live && hooks.carry(indices, documents);
    this.refreshed = false;
    try {
      const answer = await store.bulk(body, documents, { timeoutMs, signal, refresh });
      this.refreshed = refresh && answer.failures.length === 0;
      return answer;
    } finally {
      if (refresh) hooks.carried(indices, this.refreshed);
    }
  }

  #count(chunk: Chunk, actions: readonly number[], failures: readonly BulkFailure[]): void {
    let deletes = 0;
    for (const at of actions) if (chunk.isDelete(at)) deletes += 1;
    let conflicts = 0;
    for (const { item, status } of failures) {
      const { [item]: at = 0 } = actions;
      if (chunk.isDelete(at)) deletes -= 1;
      if (status === 409) conflicts += 1;
    }
    const { observer } = this.#options;
    observer.deleted(deletes);
    observer.indexed(actions.length - failures.length - deletes);
    if (conflicts > 0) observer.conflicts(conflicts);
  }

  async #judge(
    chunk: Chunk,
    actions: readonly number[],
    failures: readonly BulkFailure[],
  ): Promise<readonly number[]> {
    const again: number[] = [];
    const refusals: Refusal[] = [];
    const missing = new Map<TableIndex, number[]>();
    for (const failure of failures) {
      const { [failure.item]: action = 0 } = actions;
      const { [action]: table } = chunk.tables;
      if (failure.status === 409) continue;
      if (failure.type === 'index_not_found_exception' && table !== undefined) {
        missing.set(table, [...(missing.get(table) ?? []), action]);
      } else if (codeOfProblem(failure) === 'SEARCH_UNREACHABLE') {
        again.push(action);
        const { status, type } = failure;
        const error = new PipelineError('SEARCH_UNREACHABLE', {
          detail: `${status} ${type}`,
          facts: { status },
        });
        this.#backOff(error, 1);
      } else if (codeOfProblem(failure) === 'SEARCH_FORBIDDEN') {
        throw new PipelineError('SEARCH_FORBIDDEN', { detail: `${failure.type}: ${failure.reason}` });
      } else {
        refusals.push({
          chunk,
          action,
          code: 'SEARCH_DOCUMENT_REFUSED',
          reason: `${failure.type}: ${failure.reason}`,
        });
      }
    }
    await this.#missing(missing, again);
    if (refusals.length > 0) await this.#options.hooks.park(refusals);
    return again.toSorted((a, b) => a - b);
  }

  async #missing(missing: ReadonlyMap<TableIndex, readonly number[]>, again: number[]): Promise<void> {
    for (const [table, actions] of missing) {
      // oxlint-disable-next-line no-await-in-loop -- rare, and few tables
      const verdict = await this.#options.hooks.missingIndex(table, this.#stop.signal);
      if (verdict === 'again') again.push(...actions);
      else this.#options.observer.late(actions.length);
    }
  }

  async #split(chunk: Chunk, actions: readonly number[], error: PipelineError): Promise<readonly number[]> {
    const [action] = actions;
    if (action === undefined) return [];
    if (actions.length === 1) {
      await this.#options.hooks.park([
        { chunk, action, code: 'SEARCH_BULK_TOO_LARGE', reason: error.detail ?? '' },
      ]);
      return [];
    }
    const half = Math.ceil(actions.length / 2);
    const first = await this.#round(chunk, actions.slice(0, half));
    const second = await this.#round(chunk, actions.slice(half));
    return [...first, ...second];
  }

  #backOff(error: PipelineError, items: number): void {
    const { backoff, observer } = this.#options;
    const { code, detail = '' } = error;
    const firstTime = this.#waitMs === 0;
    this.#longestMs = longestWaitMs(backoff, error);
    this.#waitMs = Math.min(firstTime ? backoff.initialMs : this.#waitMs, this.#longestMs);
    observer.retried(code, items);
    if (firstTime) observer.notice('retrying', { code, detail: detail.slice(0, 300) });
  }

  async #pause(): Promise<void> {
    const { clock } = this.#options;
    const waitMs = Math.random() * this.#waitMs;
    this.#waitMs = Math.min(this.#waitMs * 2, this.#longestMs);
    try {
      // A stop ends it too: it ends the attempt.
      await clock.sleep(waitMs, this.#attempt.signal);
    } catch {
      this.#stop.signal.throwIfAborted();
    }
  }
}
