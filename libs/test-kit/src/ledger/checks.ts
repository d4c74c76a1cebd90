import { formatLsn, formatPosition, type ChangeRecord } from '@pgstream/wal-event';
import type { Evidence, ProgressSample } from './evidence.ts';
import { disorderIn, duplicatesIn, type LogEntry } from './log.ts';
import { replayTables } from './replay.ts';

export type CheckLetter = 'A' | 'B' | 'C' | 'D' | 'E' | 'F' | 'G' | 'H';

export const CHECKS: Readonly<Record<CheckLetter, string>> = {
  A: 'nothing lost',
  B: 'order per key',
  C: 'tables = index = replay of the log',
  D: 'no duplicate in the log',
  E: 'confirmed never past durable',
  F: 'memory, descriptors and disk bounded',
  G: 'lag back to zero in time',
  H: 'nothing silent',
};

export interface Finding {
  readonly check: CheckLetter;
  /** What contradicts the promise, at most ten lines; empty where it was kept. */
  readonly violations: readonly string[];
}

/** Judges a run by each check, in their order. */
export function judge(evidence: Evidence): Finding[] {
  const by: Readonly<Record<CheckLetter, (evidence: Evidence) => string[]>> = {
    A: lostIn,
    B: misorderedIn,
    C: ({ differences }) => [...differences],
    D: ({ log }) => duplicatesIn(log ?? []),
    E: confirmedTooEarly,
    F: unbounded,
    G: lateIn,
    H: silentIn,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a Record
  const letters = Object.keys(by) as CheckLetter[];
  return letters.map((check) => ({ check, violations: by[check](evidence).slice(0, 10) }));
}

interface LoggedEntry extends LogEntry {
  readonly n: number;
  readonly changes: number;
}

/** Rows of the tables `ledger`, as the log has them, by schema and in its order. */
function ledgerRows(log: readonly LogEntry[]): Map<string, LoggedEntry[]> {
  const rows = new Map<string, LoggedEntry[]>();
  for (const entry of log) {
    const { record } = entry;
    if (record.table !== 'ledger' || record.action !== 'I') continue;
    const [n, changes] = [numberIn(record, 'n'), numberIn(record, 'changes')];
    const list = rows.get(record.schema) ?? [];
    rows.set(record.schema, list);
    list.push({ ...entry, n, changes });
  }
  return rows;
}

function numberIn(record: ChangeRecord, name: string): number {
  const value = record.columns?.find((column) => column.name === name)?.value;
  return typeof value === 'object' && value !== null ? Number(value.raw) : Number.NaN;
}

/** A: each transaction that was committed is in the log with every one of its changes, and no other is. */
function lostIn(evidence: Evidence): string[] {
  const { log, committed, parked } = evidence;
  if (log === null) return notIndexed(evidence);
  const rows = ledgerRows(log);
  const found = [...committed].flatMap(([schema, entries]) => {
    const logged = new Set(rows.get(schema)?.map(({ n }) => n));
    return [
      ...missingOf(schema, entries, logged, evidence),
      ...phantomsOf(schema, entries, logged, evidence),
    ];
  });
  return [...found, ...incompleteTransactions(rows, changesByTransaction(log), parked)];
}

type Extent = Pick<Evidence, 'extent'>;

// oxlint-disable-next-line max-params -- two lists of one schema
function missingOf(
  schema: string,
  entries: ReadonlyMap<number, number>,
  logged: ReadonlySet<number>,
  { extent }: Extent,
): string[] {
  const newest = Math.max(0, ...logged);
  const missing = [...entries.keys()].filter((n) => !logged.has(n));
  const due = missing.filter((n) => extent === 'all' || n < newest);
  return due.map((n) => `${schema}: transaction ${n} was committed and is not in the log`);
}

/** A transaction whose writer never heard of its commit is known to the tables alone: after a stop nobody asks them. */
function phantomsOf(
  schema: string,
  entries: ReadonlyMap<number, number>,
  logged: ReadonlySet<number>,
  { extent }: Extent,
): string[] {
  if (extent !== 'all') return [];
  const phantoms = [...logged].filter((n) => !entries.has(n));
  return phantoms.map((n) => `${schema}: transaction ${n} is in the log and was never committed`);
}

/** Without a log the index is all there is to look into. */
function notIndexed({ committed, progress }: Evidence): string[] {
  const indexed = progress.at(-1)?.indexed;
  return [...committed].flatMap(([schema, entries]) => {
    const missing = [...entries.keys()].filter((n) => indexed?.get(schema)?.has(n) !== true);
    return missing.map((n) => `${schema}: transaction ${n} was committed and is not in the index`);
  });
}

function transactionOf(schema: string, { epoch, position }: ChangeRecord): string {
  return `${schema} ${epoch} ${position.commitLsn}`;
}

function changesByTransaction(log: readonly LogEntry[]): ReadonlyMap<string, number> {
  const changes = new Map<string, number>();
  const seen = new Set<string>();
  for (const { record } of log) {
    const id = `${record.schema} ${record.table} ${record.epoch} ${formatPosition(record.position)}`;
    if (record.action === 'M' || seen.has(id)) continue;
    seen.add(id); // what stands twice is for check D
    const name = transactionOf(record.schema, record);
    changes.set(name, (changes.get(name) ?? 0) + 1);
  }
  return changes;
}

function incompleteTransactions(
  rows: ReadonlyMap<string, readonly LoggedEntry[]>,
  changes: ReadonlyMap<string, number>,
  parked: Evidence['parked'],
): string[] {
  const found: string[] = [];
  for (const [schema, entries] of rows) {
    for (const { record, n, changes: expected } of entries) {
      const aside = parked.filter(({ commitLsn }) => commitLsn === record.position.commitLsn).length;
      const there = (changes.get(transactionOf(schema, record)) ?? 0) - 1;
      if (there === expected || (aside > 0 && there + aside >= expected)) continue;
      found.push(`${schema}: transaction ${n} made ${expected} changes, the log has ${there}`);
    }
  }
  return found;
}

/** B: positions grow in each partition, a schema's transactions stand in their order, each row's versions grow by one. */
function misorderedIn({ log, parked }: Evidence): string[] {
  if (log === null) return [];
  const found = [...disorderIn(log)];
  for (const [schema, entries] of ledgerRows(log)) {
    let before = 0;
    for (const { n } of entries) {
      if (n < before) found.push(`${schema}: transaction ${n} stands behind ${before}`);
      before = n;
    }
  }
  // rows that were parked are missing from their chains
  return parked.length > 0 ? found : [...found, ...replayTables(log).brokenChains];
}

/** E: what a sample says was confirmed lies in the log below the ends that were read after it, and so for the index. */
function confirmedTooEarly(evidence: Evidence): string[] {
  const { log, progress, acknowledged } = evidence;
  if (log === null) return confirmedNotIndexed(evidence);
  const rows = ledgerRows(log);
  const logged = new Map([...rows].map(([schema, entries]) => [schema, new Set(entries.map(({ n }) => n))]));
  const found = new Set<string>();
  for (const sample of progress) {
    for (const text of confirmedNotLogged(sample, log)) found.add(text);
    for (const text of committedNotIndexed(sample, rows)) found.add(text);
    for (const { schema, n, walAfter } of acknowledged) {
      if (sample.confirmed === null || walAfter > sample.confirmed || logged.get(schema)?.has(n)) continue;
      found.add(`${formatLsn(sample.confirmed)} was confirmed without transaction ${n} of ${schema}`);
    }
  }
  return [...found];
}

/** Without a log, what is confirmed is in the index. */
function confirmedNotIndexed({ progress, acknowledged }: Evidence): string[] {
  const found = new Set<string>();
  for (const { confirmed, indexed } of progress) {
    if (confirmed === null || indexed === null) continue;
    for (const { schema, n, walAfter } of acknowledged) {
      if (walAfter <= confirmed && indexed.get(schema)?.has(n) !== true)
        found.add(`${formatLsn(confirmed)} was confirmed before ${schema} ${n} was in the index`);
    }
  }
  return [...found];
}

function confirmedNotLogged({ confirmed, ends }: ProgressSample, log: readonly LogEntry[]): string[] {
  if (confirmed === null || ends === null) return [];
  // a commit record ends behind its own position, and only its end is confirmed
  const late = log.filter(({ record, partition, offset }) => {
    return record.position.commitLsn < confirmed && offset >= (ends.get(partition) ?? 0n);
  });
  return late.map(({ record, partition, offset }) => {
    const where = `${formatPosition(record.position)} (partition ${partition}, offset ${offset})`;
    return `${formatLsn(confirmed)} was confirmed before ${where} was in the log`;
  });
}

function committedNotIndexed(
  { offsets, indexed }: ProgressSample,
  rows: ReadonlyMap<string, readonly LoggedEntry[]>,
): string[] {
  if (offsets === null || indexed === null) return [];
  const found: string[] = [];
  for (const [schema, entries] of rows) {
    for (const { n, partition, offset } of entries) {
      if (offset >= (offsets.get(partition) ?? 0n) || indexed.get(schema)?.has(n)) continue;
      found.push(
        `offset ${offset} of partition ${partition} was passed before ${schema} ${n} was in the index`,
      );
    }
  }
  return found;
}

/** F */
function unbounded({ resources }: Evidence): string[] {
  const above = resources.filter(({ value, bound }) => !(value <= bound));
  return above.map(
    ({ name, what, value, bound, unit }) => `${name}: ${what} ${value} ${unit}, bound ${bound}`,
  );
}

/** G */
function lateIn({ catchUp: { ms, boundMs } }: Evidence): string[] {
  if (ms === null) return [`not caught up within ${boundMs} ms`];
  return ms <= boundMs ? [] : [`caught up after ${ms} ms, bound ${boundMs} ms`];
}

/** H: an end says its code and remedy; what was parked is counted, logged and kept; nothing else was left out. */
function silentIn({ visible }: Evidence): string[] {
  return [...unexpectedEnds(visible), ...silentLetters(visible), ...wrongCounters(visible)];
}

function unexpectedEnds({ exits, expectedExit }: Evidence['visible']): string[] {
  const found: string[] = [];
  for (const exit of exits) {
    const { name, exitCode, codes, hasRemedy } = exit;
    if (!isExpected(exit, expectedExit))
      found.push(`${name} ended with ${exitCode} (${codes.join(', ') || 'no code'})`);
    else if (!hasRemedy) found.push(`${name} ended without saying what to do`);
  }
  if (expectedExit !== null && !exits.some(({ codes }) => codes.includes(expectedExit.code)))
    found.push(`nothing ended, although ${expectedExit.code} should have stopped it`);
  return found;
}

function isExpected(
  { exitCode, codes }: Evidence['visible']['exits'][number],
  expected: Evidence['visible']['expectedExit'],
): boolean {
  if (expected === null || exitCode !== expected.exitCode) return false;
  return codes.some((code) => code === expected.code || expected.also?.includes(code) === true);
}

function silentLetters({ counters, letters, lettersLogged, expectsLetters }: Evidence['visible']): string[] {
  const parked = counters.get('parked') ?? 0;
  const found: string[] = [];
  if (expectsLetters && letters === 0) found.push('nothing was parked');
  if (!expectsLetters && letters > 0) found.push(`${letters} records were parked`);
  if (parked < letters) found.push(`${letters} dead letters, metrics count ${parked}`);
  if (lettersLogged < letters) found.push(`${letters} dead letters, the log names ${lettersLogged}`);
  return found;
}

function wrongCounters({ counters, expectedCounter }: Evidence['visible']): string[] {
  const others = [...counters].filter(([name]) => name !== 'parked');
  const wrong = others.filter(([name, value]) => (name === expectedCounter ? value === 0 : value > 0));
  return wrong.map(([name, value]) => `${name}: ${value}`);
}
