import { Buffer } from 'node:buffer';
import { failpoint, PipelineError } from '@pgstream/failure';
import { codeOfProblem, type BulkFailure, type SearchStore } from '@pgstream/search-store';
import type { StoredEntry, ParkedEntry } from './parked-entry.ts';
import type { Advance, ParkedStore } from './parked-store.ts';

/** What became of one entry. */
export interface Released {
  readonly entry: ParkedEntry;
  /** `superseded`: the index has a newer state. `refused`: it stays parked. `changing`: others kept changing it. */
  readonly outcome: 'released' | 'superseded' | 'refused' | 'changing';
  readonly reason: string | null;
}

export interface ReleaseOptions {
  readonly store: SearchStore;
  readonly parked: ParkedStore;
  /** The document as this version of the product makes it; `null` leaves it as it is kept. */
  readonly rebuild?: (entry: ParkedEntry) => Promise<string | null>;
  /** Of the table's index now, noted where it is refused again. */
  readonly generationOf?: (entry: ParkedEntry) => number;
  /** A refresh makes what was released visible at once. */
  readonly refresh?: boolean;
}

/** Entries changed by others while they are written are read and written again, so many times. */
const MAX_ROUNDS = 20;
const MAX_BULK_BYTES = 4 * 1024 * 1024;
/** A paused process must not write on what it read long ago: tombstones are forgotten in the end. */
const MAX_AGE_MS = 30_000;

/**
 * Writes parked documents, each with the version of its own change, which never overwrites anything newer; then removes
 * the entries, each only if nothing came behind it meanwhile. In that order: a kill in between leaves an entry that is
 * written once more.
 *
 * Any process may do this at any time: see docs/dead-letters.md.
 */
export async function releaseEntries(
  entryIds: readonly string[],
  options: ReleaseOptions,
): Promise<Released[]> {
  const done: Released[] = [];
  let wanted = [...entryIds];
  for (let round = 0; wanted.length > 0 && round < MAX_ROUNDS; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- what changed in between is read and written again
    const entries = await options.parked.entries(wanted);
    // oxlint-disable-next-line no-await-in-loop -- as above
    const { settled, again } = await releaseOnce(entries, options);
    done.push(...settled);
    wanted = again;
  }
  const left = await options.parked.entries(wanted);
  return [...done, ...left.map((entry) => ({ entry, outcome: 'changing', reason: null }) as const)];
}

async function releaseOnce(
  entries: readonly ParkedEntry[],
  options: ReleaseOptions,
): Promise<{ settled: Released[]; again: string[] }> {
  const readMs = performance.now();
  const { settled, writable } = await writableOf(entries, options);
  const refused: Released[] = [];
  const written: Released[] = [];
  for (const group of groupsOf(writable)) {
    // oxlint-disable-next-line no-await-in-loop -- requests of a bounded size, one after the other
    const outcomes = await writeGroup(group, options, readMs);
    for (const one of outcomes) (one.outcome === 'refused' ? refused : written).push(one);
  }
  failpoint?.('parked.released');
  const removed = await options.parked.remove(written.map(({ entry }) => entry));
  const noted = await options.parked.advance(refused.map((one) => refusedAgain(one, options)));
  const hasChanged = ({ entry }: Released) => removed.has(entry.entryId) || noted.has(entry.entryId);
  const all = [...written, ...refused];
  settled.push(...all.filter((one) => !hasChanged(one)));
  return { settled, again: all.filter(hasChanged).map(({ entry }) => entry.entryId) };
}

/** The lines of what can be written; what was not kept is settled at once. */
async function writableOf(
  entries: readonly ParkedEntry[],
  options: ReleaseOptions,
): Promise<{ settled: Released[]; writable: Written[] }> {
  const settled: Released[] = [];
  const writable: Written[] = [];
  for (const entry of entries) {
    // oxlint-disable-next-line no-await-in-loop -- its table may have to be read
    const document = entry.isDelete ? null : ((await options.rebuild?.(entry)) ?? entry.document);
    if (document === null && !entry.isDelete)
      settled.push({ entry, outcome: 'refused', reason: notKept(entry) });
    else writable.push({ entry, lines: linesOf(entry, document) });
  }
  return { settled, writable };
}

interface Written {
  readonly entry: ParkedEntry;
  readonly lines: string;
}

async function writeGroup(
  group: readonly Written[],
  options: ReleaseOptions,
  readMs: number,
): Promise<Released[]> {
  if (performance.now() - readMs > MAX_AGE_MS)
    throw new PipelineError('SEARCH_UNREACHABLE', { detail: 'Parked entries took too long to write.' });
  let failures: readonly BulkFailure[];
  try {
    const body = Buffer.from(group.map(({ lines }) => lines).join(''));
    ({ failures } = await options.store.bulk(body, group.length, { refresh: options.refresh ?? false }));
  } catch (cause) {
    if (!(cause instanceof PipelineError) || cause.code !== 'SEARCH_BULK_TOO_LARGE') throw cause;
    if (group.length > 1) return await writeHalves(group, options, readMs);
    failures = [{ item: 0, status: 400, type: 'request_too_large', reason: cause.detail ?? '' }];
  }
  return group.map(({ entry }, item) =>
    releasedOf(
      entry,
      failures.find((one) => one.item === item),
    ),
  );
}

async function writeHalves(
  group: readonly Written[],
  options: ReleaseOptions,
  readMs: number,
): Promise<Released[]> {
  const half = Math.ceil(group.length / 2);
  const first = await writeGroup(group.slice(0, half), options, readMs);
  return [...first, ...(await writeGroup(group.slice(half), options, readMs))];
}

function releasedOf(entry: ParkedEntry, failure: BulkFailure | undefined): Released {
  if (failure === undefined) return { entry, outcome: 'released', reason: null };
  if (failure.status === 409) return { entry, outcome: 'superseded', reason: null };
  const code = codeOfProblem(failure);
  if (code === 'SEARCH_UNREACHABLE' || code === 'SEARCH_FORBIDDEN')
    throw new PipelineError(code, { detail: `${failure.status} ${failure.type}: ${failure.reason}` });
  return { entry, outcome: 'refused', reason: `${failure.type}: ${failure.reason}` };
}

function groupsOf(writable: readonly Written[]): Written[][] {
  const groups: Written[][] = [];
  let bytes = Infinity;
  for (const one of writable) {
    const size = Buffer.byteLength(one.lines);
    if (bytes + size > MAX_BULK_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(one);
    bytes += size;
  }
  return groups;
}

function linesOf({ index, id, version }: ParkedEntry, document: string | null): string {
  const address = `{"_index":${JSON.stringify(index)},"_id":${JSON.stringify(id)},"version":${version},"version_type":"external_gte"}`;
  return document === null ? `{"delete":${address}}\n` : `{"index":${address}}\n${document}\n`;
}

function refusedAgain({ entry, reason }: Released, options: ReleaseOptions): Advance {
  const fields: Partial<StoredEntry> = {
    attempts: entry.attempts + 1,
    last_reason: reason,
    product: options.parked.product,
    generation: options.generationOf?.(entry) ?? entry.generation,
  };
  return { head: entry, fields: () => fields };
}

function notKept({ reason }: ParkedEntry): string {
  return `the store was too small to keep this state (${reason.slice(0, 200)}): raise http.max_content_length, then UPDATE the row, which is kept in its place`;
}
