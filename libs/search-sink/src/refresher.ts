import { refreshIndices, type SearchStore } from '@pgstream/search-store';
import { systemClock, type Clock } from '@pgstream/failure';
import type { SearchObserver } from './observer.ts';
import type { PhysicalIndex } from './table-index.ts';

export interface RefresherOptions {
  readonly store: SearchStore;
  readonly observer: SearchObserver;
  /** Shortest time between two refreshes of an index. */
  readonly minIntervalMs: number;
  /** More is waiting than searches are worth interrupting for. */
  readonly lagging: () => boolean;
  readonly clock?: Clock;
}

/** A refresh may take this share of the time at most: one part in five. */
const REST_PER_REFRESH = 4;
const SETTINGS_AGE_MS = 30_000;
const MAX_INDICES = 64;
const QUIET_MS = 100;

/**
 * Makes documents visible to searches soon after they were written, while the sink is caught up; while it lags, none
 * of that: the index's own interval does. The last document always gets its refresh.
 */
export class Refresher {
  readonly #options: RefresherOptions;
  readonly #clock: Clock;
  readonly #dirty = new Set<PhysicalIndex>();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(options: RefresherOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Documents were written. */
  note(indices: Iterable<PhysicalIndex>): void {
    for (const index of indices) this.#dirty.add(index);
    this.#go();
  }

  /** Until the index was refreshed by somebody else: a fence, a schema change. */
  forget(index: PhysicalIndex): void {
    this.#dirty.delete(index);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #go(): void {
    if (this.#running !== null || this.#closed) return;
    if (this.#options.lagging()) {
      this.#wakeIn(QUIET_MS);
      return;
    }
    const now = this.#clock.now();
    const due: PhysicalIndex[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const index of this.#dirty) {
      const rest = Math.max(this.#options.minIntervalMs, REST_PER_REFRESH * index.lastRefreshTookMs);
      const at = index.lastRefreshEndMs + rest;
      if (at <= now && due.length < MAX_INDICES) due.push(index);
      else nextMs = Math.min(nextMs, at);
    }
    if (due.length > 0) this.#running = this.#refresh(due);
    else if (nextMs < Number.POSITIVE_INFINITY) this.#wakeIn(nextMs - now);
  }

  async #refresh(due: readonly PhysicalIndex[]): Promise<void> {
    for (const index of due) this.#dirty.delete(index);
    const begun = this.#clock.now();
    try {
      await this.#readSettings(due, begun);
      const wanted = due.filter((index) => !index.refreshDisabled);
      const from = this.#clock.now();
      if (wanted.length > 0)
        await refreshIndices(
          this.#options.store,
          wanted.map(({ name }) => name),
        );
      this.#note(wanted, from);
    } catch {
      // The documents are durable; they become visible with the next refresh, ours or the index's own.
      for (const index of due) index.lastRefreshEndMs = this.#clock.now() + 1000;
      for (const index of due) this.#dirty.add(index);
    } finally {
      this.#running = null;
      if (this.#dirty.size > 0) this.#go();
    }
  }

  #note(indices: readonly PhysicalIndex[], from: number): void {
    const now = this.#clock.now();
    for (const index of indices) {
      index.lastRefreshEndMs = now;
      index.lastRefreshTookMs = smoothed(index.lastRefreshTookMs, now - from);
    }
    if (indices.length > 0)
      this.#options.observer.refreshed({ indices: indices.length, durationMs: now - from });
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
    const answer = (status === 404 ? {} : JSON.parse(text)) as Record<
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

/** One slow refresh (a pause of the server) must not postpone the next by four times as much; several in a row do. */
function smoothed(beforeMs: number, tookMs: number): number {
  return beforeMs === 0 ? tookMs : Math.min(tookMs, (3 * beforeMs + tookMs) / 4);
}
