import { objectOf, refreshIndices, type SearchStore } from '@pgstream/search-store';
import { systemClock, type Clock } from '@pgstream/failure';
import type { SearchObserver } from './observer.ts';
import type { PhysicalIndex } from './table-index.ts';

export interface RefresherOptions {
  readonly store: SearchStore;
  readonly observer: SearchObserver;
  /** Shortest time between two refreshes. 0: never any. */
  readonly minIntervalMs: number;
  /** More is waiting than searches are worth interrupting for. */
  readonly lagging: () => boolean;
  readonly clock?: Clock;
}

/** After a refresh, rest for a quarter of what it took: a store that refreshes slowly still gets other things done. */
const REST_PER_REFRESH = 0.25;
const SETTINGS_AGE_MS = 30_000;
/** A rest that is longer than this delays no bulk. */
const MAX_HOLD_MS = 50;
const MAX_INDICES = 64;
const QUIET_MS = 100;
const AFTER_FAILURE_MS = 1000;

/**
 * Makes documents visible to searches soon after they were written, while the sink is caught up; while it lags, none
 * of that: the index's own interval does. The last document always gets its refresh.
 *
 * One refresh at a time: carried by a bulk that has all there is to show, or as a request of its own.
 */
export class Refresher {
  readonly #options: RefresherOptions;
  readonly #clock: Clock;
  readonly #dirty = new Set<PhysicalIndex>();
  #notBeforeMs = 0;
  #tookMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #running: Promise<void> | null = null;
  /** When the bulk that carries a refresh began. */
  #carriedFromMs: number | null = null;
  #closed = false;

  constructor(options: RefresherOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Documents were written and are not visible yet. */
  note(indices: Iterable<PhysicalIndex>): void {
    if (this.#options.minIntervalMs === 0) return;
    for (const index of indices) this.#dirty.add(index);
    this.#go();
  }

  /** Until the index was refreshed by somebody else: a fence, a schema change. */
  forget(index: PhysicalIndex): void {
    this.#dirty.delete(index);
  }

  /** Time until a bulk may carry a refresh, where that is soon. */
  get restMs(): number {
    if (this.#options.minIntervalMs === 0 || !this.#isFree || this.#options.lagging()) return 0;
    const waitMs = this.#notBeforeMs - this.#clock.now();
    return waitMs > MAX_HOLD_MS ? 0 : Math.max(0, waitMs);
  }

  /** Whether a bulk to these indices is to refresh them. If so, call {@link carried} when it has ended. */
  carry(indices: ReadonlySet<PhysicalIndex>): boolean {
    if (this.#options.minIntervalMs === 0 || !this.#isFree || this.#options.lagging()) return false;
    const now = this.#clock.now();
    if (now < this.#notBeforeMs) return false;
    for (const index of this.#dirty) if (!indices.has(index)) return false;
    for (const index of indices)
      if (index.refreshDisabled || now - index.settingsReadMs > SETTINGS_AGE_MS) return false;
    this.#carriedFromMs = now;
    return true;
  }

  /** The bulk that {@link carry} was asked for has been answered; `done` when the indices were refreshed by it. */
  carried(indices: ReadonlySet<PhysicalIndex>, done: boolean): void {
    const from = this.#carriedFromMs;
    if (from === null) return;
    this.#carriedFromMs = null;
    if (done) {
      for (const index of indices) this.#dirty.delete(index);
      this.#rest(indices.size, from);
    }
    if (this.#dirty.size > 0) this.#go();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  get #isFree(): boolean {
    return this.#running === null && this.#carriedFromMs === null && !this.#closed;
  }

  #go(): void {
    if (!this.#isFree) return;
    const waitMs = this.#options.lagging() ? QUIET_MS : this.#notBeforeMs - this.#clock.now();
    if (waitMs > 0) this.#wakeIn(waitMs);
    else if (this.#dirty.size > 0) this.#running = this.#refresh([...this.#dirty].slice(0, MAX_INDICES));
  }

  async #refresh(due: readonly PhysicalIndex[]): Promise<void> {
    for (const index of due) this.#dirty.delete(index);
    try {
      await this.#readSettings(due, this.#clock.now());
      const wanted = due.filter((index) => !index.refreshDisabled);
      const names = wanted.map(({ name }) => name);
      const from = this.#clock.now();
      if (names.length > 0) {
        await refreshIndices(this.#options.store, names);
        this.#rest(names.length, from);
      }
    } catch {
      // The documents are durable; they become visible with the next refresh, ours or the index's own.
      this.#notBeforeMs = this.#clock.now() + AFTER_FAILURE_MS;
      for (const index of due) this.#dirty.add(index);
    } finally {
      this.#running = null;
      if (this.#dirty.size > 0) this.#go();
    }
  }

  #rest(indices: number, from: number): void {
    const now = this.#clock.now();
    this.#tookMs = smoothed(this.#tookMs, now - from);
    const restMs = Math.max(this.#options.minIntervalMs - this.#tookMs, REST_PER_REFRESH * this.#tookMs);
    this.#notBeforeMs = now + restMs;
    this.#options.observer.refreshed({ indices, durationMs: now - from });
  }

  /** Somebody may switch refreshing off at any time, for a bulk load of their own. */
  async #readSettings(indices: readonly PhysicalIndex[], now: number): Promise<void> {
    const old = indices.filter((index) => now - index.settingsReadMs > SETTINGS_AGE_MS);
    if (old.length === 0) return;
    const names = old.map(({ name }) => encodeURIComponent(name)).join(',');
    const { text, status } = await this.#options.store.request(
      'GET',
      `/${names}/_settings/index.refresh_interval`,
      {
        query: { ignore_unavailable: true, flat_settings: true },
        answers: [404],
      },
    );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the documented answer of GET _settings
    const answer = (status === 404 ? {} : objectOf(text, '_settings')) as Record<
      string,
      { settings?: Record<string, string> }
    >;
    for (const index of old) {
      index.settingsReadMs = now;
      index.refreshDisabled = answer[index.name]?.settings?.['index.refresh_interval'] === '-1';
    }
  }

  #wakeIn(ms: number): void {
    const dueMs = this.#clock.now() + ms;
    if (this.#timer !== undefined && this.#dueMs <= dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#dueMs = Number.POSITIVE_INFINITY;
        this.#go();
      },
      Math.max(1, Math.ceil(ms)),
    );
    this.#timer.unref();
  }
}

/** One slow refresh (a pause of the server) must not postpone the next by as much; several in a row do. */
function smoothed(beforeMs: number, tookMs: number): number {
  return beforeMs === 0 ? tookMs : Math.min(tookMs, (3 * beforeMs + tookMs) / 4);
}
