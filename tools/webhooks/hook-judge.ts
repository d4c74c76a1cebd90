import type { SentEvent } from './hook-load.ts';
import type { Arrival } from './hook-receiver.ts';

/** What the store held at one moment, for one subscription. */
export interface StoredAt {
  /** After the store was read. */
  readonly atMs: number;
  /** Next offsets by partition. */
  readonly cursors: ReadonlyMap<number, number>;
  /** Offsets beyond them that were known to be settled, by partition. */
  readonly ahead: ReadonlyMap<number, ReadonlySet<number>>;
  /** Ids of events that were parked. */
  readonly parked: ReadonlySet<string>;
}

export interface Evidence {
  readonly name: string;
  /** What it has to get, in the order of the log: everything after its 201 that its filters name. */
  readonly owed: readonly SentEvent[];
  /** Whether it asked for this one at all. */
  readonly wants: (event: SentEvent) => boolean;
  readonly byId: ReadonlyMap<string, SentEvent>;
  readonly arrivals: readonly Arrival[];
  /** Each right after a process had died. */
  readonly stored: readonly StoredAt[];
  /** What may come twice for each partition after a process died. */
  readonly windowEvents: number;
}

const SHOWN = 5;

/** @returns violations of the promises of docs/webhooks.md in words; none when all were kept. */
export function judgeHooks(evidence: Evidence): string[] {
  const accepted = evidence.arrivals.filter(({ isAccepted }) => isAccepted);
  return [
    ...lost(evidence, accepted),
    ...unwanted(evidence),
    ...disorder(evidence, accepted),
    ...repeated(evidence, accepted),
  ].map((text) => `${evidence.name}: ${text}`);
}

/** G1 */
function lost({ owed }: Evidence, accepted: readonly Arrival[]): string[] {
  const ids = new Set(accepted.map(({ id }) => id));
  const missing = owed.filter(({ id }) => !ids.has(id));
  if (missing.length === 0) return [];
  return [`${missing.length} of ${owed.length} events never came: ${named(missing)}`];
}

function unwanted({ arrivals, byId, wants }: Evidence): string[] {
  const strange = arrivals.filter(({ id }) => {
    const event = byId.get(id);
    return event === undefined || !wants(event);
  });
  return strange.length === 0 ? [] : [`${strange.length} requests that nobody asked for, ${strange[0]?.id}`];
}

/** G2: per row, first acceptances rise. */
function disorder({ byId }: Evidence, accepted: readonly Arrival[]): string[] {
  const last = new Map<number, number>();
  const seen = new Set<string>();
  const wrong: SentEvent[] = [];
  for (const { id } of accepted) {
    const event = byId.get(id);
    if (event === undefined || seen.has(id)) continue;
    seen.add(id);
    if (event.version <= (last.get(event.key) ?? 0)) wrong.push(event);
    else last.set(event.key, event.version);
  }
  return wrong.length === 0 ? [] : [`${wrong.length} events after a later one of their row: ${named(wrong)}`];
}

/** G5: again only what the store did not know to be settled, and no more than a window of it. */
function repeated(evidence: Evidence, accepted: readonly Arrival[]): string[] {
  const { stored, windowEvents } = evidence;
  const behind: SentEvent[] = [];
  const perWindow = new Map<string, number>();
  for (const { event, arrivedMs } of againIn(evidence, accepted)) {
    const at = stored.findLastIndex(({ atMs }) => atMs < arrivedMs);
    if (isBehind(event, stored[at])) behind.push(event);
    const window = `${at}/${event.partition}`;
    perWindow.set(window, (perWindow.get(window) ?? 0) + 1);
  }
  const most = Math.max(0, ...perWindow.values());
  const passed = `${behind.length} events came again that were stored as settled: ${named(behind)}`;
  return [
    ...(behind.length === 0 ? [] : [passed]),
    ...(most <= windowEvents
      ? []
      : [`${most} events of one partition came again after one end of a process`]),
  ];
}

/** Acceptances that are not the first of their event. */
function againIn({ byId }: Evidence, accepted: readonly Arrival[]) {
  const seen = new Set<string>();
  return accepted.flatMap(({ id, arrivedMs }) => {
    const event = byId.get(id);
    const isAgain = seen.has(id);
    seen.add(id);
    return event === undefined || !isAgain ? [] : [{ event, arrivedMs }];
  });
}

function isBehind({ id, partition, offset }: SentEvent, known: StoredAt | undefined): boolean {
  if (known === undefined || known.parked.has(id)) return false;
  return offset < (known.cursors.get(partition) ?? 0) || known.ahead.get(partition)?.has(offset) === true;
}

export function repeatedCount(arrivals: readonly Arrival[]): number {
  const accepted = arrivals.filter(({ isAccepted }) => isAccepted);
  return accepted.length - new Set(accepted.map(({ id }) => id)).size;
}

function named(events: readonly SentEvent[]): string {
  return events
    .slice(0, SHOWN)
    .map(({ partition, offset, key, version }) => `${partition}/${offset} (row ${key} version ${version})`)
    .join(', ');
}
