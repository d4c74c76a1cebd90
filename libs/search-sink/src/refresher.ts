import { objectOf, refreshIndices, type SearchStore } from '@pgstream/search-store';
import { systemClock, type Clock } from '@pgstream/failure';
import type { SearchObserver } from './observer.ts';
import type { PhysicalIndex } from './table-index.ts';

export interface RefresherOptions {
  readonly store: SearchStore;
  readonly observer: SearchObserver;
  /** Shortest time between two refreshes of an index. 0: never any. */
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
/** A timer of so many milliseconds may end before the clock says so. */
const TIMER_EARLY_MS = 1;

/**
 * Makes documents visible to searches soon after they were written, while the sink is caught up; while it lags, none
 * of that: the index's own interval does. The last document always gets its refresh.
 *
 * A refresh is carried by a bulk, for the shards that it writes to; what was written without one gets a request of its own.
 * One of each kind at a time. They do not wait for one another: the store refreshes what a request names one index after the
 * other, and with many indices there would always be some that no bulk has shown.
 *
 * An index rests until the shortest time between two refreshes is over; after each refresh its kind rests for a part of what
 * it took.
 */
export class Refresher {
  readonly #options: RefresherOptions;
  readonly #clock: Clock;
  /** Written without a refresh. A bulk that carries one shows only its own shards, and makes none of these clean. */
  readonly #dirty = new Set<PhysicalIndex>();
  readonly #carries = new Pace();
  readonly #requests = new Pace();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #running: Promise<void> | null = null;
  /** When the bulk that carries a refresh began. */
  #carriedFromMs: number | null = null;
  #looking: Promise<void> | null = null;
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

  /** Whole milliseconds until a bulk to these indices may carry a refresh, where that is soon and it may at all. */
  restMs(indices: ReadonlySet<PhysicalIndex>): number {
    if (!this.#mayCarry(indices)) return 0;
    const waitMs = this.#restsUntil(this.#carries, indices, Math.max) - this.#clock.now();
    return waitMs > MAX_HOLD_MS ? 0 : Math.ceil(Math.max(0, waitMs));
  }

  /** Whether a bulk to these indices is to refresh them. If so, call {@link carried} when it has ended. */
  carry(indices: ReadonlySet<PhysicalIndex>): boolean {
    if (!this.#mayCarry(indices)) return false;
    const now = this.#clock.now();
    if (now + TIMER_EARLY_MS < this.#restsUntil(this.#carries, indices, Math.max)) return false;
    this.#carriedFromMs = now;
    for (const index of indices) index.refreshedMs = now;
    this.#lookAgain(indices, now);
    return true;
  }

  /** The bulk that {@link carry} was asked for has been answered; `done` when the indices were refreshed by it. */
  carried(indices: ReadonlySet<PhysicalIndex>, done: boolean): void {
    const from = this.#carriedFromMs;
    if (from === null) return;
    this.#carriedFromMs = null;
    if (done) this.#rest(this.#carries, indices.size, from);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#running, this.#looking]);
  }

  #mayCarry(indices: ReadonlySet<PhysicalIndex>): boolean {
    const { minIntervalMs, lagging } = this.#options;
    if (minIntervalMs === 0 || this.#carriedFromMs !== null || this.#closed || lagging()) return false;
    if (indices.size > MAX_INDICES) return false;
    for (const { refreshDisabled, settingsReadMs } of indices)
      if (refreshDisabled || settingsReadMs === 0) return false;
    return true;
  }

  #go(): void {
    if (this.#running !== null || this.#closed || this.#dirty.size === 0) return;
    const now = this.#clock.now();
    const waitMs = this.#options.lagging()
      ? QUIET_MS
      : this.#restsUntil(this.#requests, this.#dirty, Math.min) - now;
    if (waitMs > 0) this.#wakeIn(waitMs);
    else this.#running = this.#refresh(this.#due(now));
  }

  #due(now: number): PhysicalIndex[] {
    const latest = now - this.#options.minIntervalMs;
    return [...this.#dirty].filter(({ refreshedMs }) => refreshedMs <= latest).slice(0, MAX_INDICES);
  }

  /** When the first or the last of them may be refreshed. */
  #restsUntil(pace: Pace, indices: Iterable<PhysicalIndex>, which: (a: number, b: number) => number): number {
    let begun: number | undefined;
    for (const { refreshedMs } of indices)
      begun = begun === undefined ? refreshedMs : which(begun, refreshedMs);
    return Math.max(pace.notBeforeMs, (begun ?? 0) + this.#options.minIntervalMs);
  }

  async #refresh(due: readonly PhysicalIndex[]): Promise<void> {
    const now = this.#clock.now();
    for (const index of due) {
      this.#dirty.delete(index);
      index.refreshedMs = now;
    }
    try {
      await this.#readSettings(due, now);
      const wanted = due.filter((index) => !index.refreshDisabled);
      const names = wanted.map(({ name }) => name);
      const from = this.#clock.now();
      if (names.length > 0) {
        await refreshIndices(this.#options.store, names);
        this.#rest(this.#requests, names.length, from);
      }
    } catch {
      // The documents are durable; they become visible with the next refresh, ours or the index's own.
      this.#requests.notBeforeMs = this.#clock.now() + AFTER_FAILURE_MS;
      for (const index of due) this.#dirty.add(index);
    } finally {
      this.#running = null;
      this.#go();
    }
  }

  #rest(pace: Pace, indices: number, from: number): void {
    const now = this.#clock.now();
    pace.rest(from, now);
    this.#options.observer.refreshed({ indices, durationMs: now - from });
  }

  /**
   * Somebody may switch refreshing off at any time, for a bulk load of their own. Bulks do not wait for the answer: one that was
   * not looked at for a while is refreshed once more at most.
   */
  #lookAgain(indices: ReadonlySet<PhysicalIndex>, now: number): void {
    if (this.#looking !== null) return;
    for (const { settingsReadMs } of indices) {
      if (now - settingsReadMs <= SETTINGS_AGE_MS) continue;
      this.#looking = this.#readSettings([...indices], now)
        .catch(() => undefined) // the next bulk asks again
        .finally(() => (this.#looking = null));
      return;
    }
  }

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

/** When the next refresh of one kind may begin. */
class Pace {
  notBeforeMs = 0;
  #tookMs = 0;

  rest(fromMs: number, nowMs: number): void {
    this.#tookMs = smoothed(this.#tookMs, nowMs - fromMs);
    this.notBeforeMs = nowMs + REST_PER_REFRESH * this.#tookMs;
  }
}

/** One slow refresh (a pause of the server) must not postpone the next by as much; several in a row do. */
function smoothed(beforeMs: number, tookMs: number): number {
  return beforeMs === 0 ? tookMs : Math.min(tookMs, (3 * beforeMs + tookMs) / 4);
}
