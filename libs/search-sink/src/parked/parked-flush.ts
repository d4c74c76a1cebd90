import { comparePositions } from '@pgstream/wal-event';
import type { SearchObserver } from '../observer.ts';
import type { Steady } from '../steady.ts';
import type { KnownKeys } from './known-keys.ts';
import { coalescedFields, type ParkedStore } from './parked-store.ts';
import type { FreedRow, Touched } from './touched-key.ts';

export interface ParkedFlushOptions {
  readonly parked: ParkedStore;
  readonly steady: Steady;
  readonly observer: SearchObserver;
  readonly known: KnownKeys;
  /** Of the batch at hand, by id of the entry; what is written goes from it. */
  readonly touched: Map<string, Touched | null>;
}

/** Makes durable what a batch does to parked keys. Call it from within {@link KnownKeys.alone}. */
export class ParkedFlush {
  readonly #parked: ParkedStore;
  readonly #steady: Steady;
  readonly #observer: SearchObserver;
  readonly #known: KnownKeys;
  readonly #touched: Map<string, Touched | null>;

  constructor({ parked, steady, observer, known, touched }: ParkedFlushOptions) {
    this.#parked = parked;
    this.#steady = steady;
    this.#observer = observer;
    this.#known = known;
    this.#touched = touched;
  }

  /** Newest states. @returns rows whose key flows again, because somebody released it. */
  async held(signal: AbortSignal): Promise<FreedRow[]> {
    const held = [...this.#touched].filter(([, touched]) => (touched?.state ?? null) !== null);
    const freed: FreedRow[] = [];
    let open = held.map(([entryId]) => entryId);
    while (open.length > 0) {
      // oxlint-disable-next-line no-await-in-loop -- what others changed in between is read and written again
      const changed = await this.#steady.run(signal, async () => this.#advance(open));
      for (const entryId of open) if (!changed.has(entryId)) this.#settled(entryId);
      // oxlint-disable-next-line no-await-in-loop -- as above
      open = await this.#readAgain([...changed], freed, signal);
    }
    return freed;
  }

  /** Removes entries whose documents were deleted. */
  async resolved(signal: AbortSignal): Promise<void> {
    const resolved = [...this.#touched].flatMap(([entryId, touched]) =>
      touched === null || touched.resolvedBy === null
        ? []
        : [{ entryId, head: touched.head, by: touched.resolvedBy }],
    );
    let open = resolved;
    while (open.length > 0) {
      const heads = open.map(({ head }) => head);
      // oxlint-disable-next-line no-await-in-loop -- what others changed in between is read again
      const changed = await this.#steady.run(signal, async () => this.#parked.remove(heads));
      for (const { entryId } of open) if (!changed.has(entryId)) this.#known.forget(entryId, 'resolved');
      const left = open.filter(({ entryId }) => changed.has(entryId));
      // oxlint-disable-next-line no-await-in-loop -- as above
      const found = await this.#steady.run(signal, async () => this.#parked.heads(left));
      open = left.flatMap(({ entryId, by }) => {
        const head = found.get(entryId) ?? null;
        if (head === null) this.#known.forget(entryId, 'gone');
        // What is newer than the delete stays parked.
        return head === null || comparePositions(head.position, by) > 0 ? [] : [{ entryId, head, by }];
      });
    }
    for (const { entryId } of resolved) this.#touched.delete(entryId);
  }

  async #advance(entryIds: readonly string[]): Promise<Set<string>> {
    const advances = entryIds.flatMap((entryId) => {
      const touched = this.#touched.get(entryId) ?? null;
      if (touched === null || touched.state === null) return [];
      const { head, state, added } = touched;
      return [{ head, fields: coalescedFields(state, head.coalesced + added) }];
    });
    return this.#parked.advance(advances);
  }

  #settled(entryId: string): void {
    const touched = this.#touched.get(entryId) ?? null;
    if (touched !== null) this.#observer.coalesced(touched.added);
    this.#touched.delete(entryId);
  }

  /** @returns what is still to be written. */
  async #readAgain(entryIds: readonly string[], freed: FreedRow[], signal: AbortSignal): Promise<string[]> {
    if (entryIds.length === 0) return [];
    const asked = entryIds.map((entryId) => ({ entryId }));
    const heads = await this.#steady.run(signal, async () => this.#parked.heads(asked));
    return entryIds.filter((entryId) => {
      const touched = this.#touched.get(entryId) ?? null;
      const head = heads.get(entryId) ?? null;
      if (touched === null || touched.state === null || touched.from === null) return false;
      if (head !== null && comparePositions(head.position, touched.state.position) < 0) {
        touched.head = head;
        return true;
      }
      if (head === null) {
        freed.push({ ...touched.from, document: touched.state.document });
        this.#known.forget(entryId, 'gone');
      }
      this.#touched.delete(entryId);
      return false;
    });
  }
}
