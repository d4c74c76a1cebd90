import { listDeadLetters } from '@pgstream/kafka-client';
import { expectedFieldOf } from '@pgstream/search-sink';
import {
  compareRows,
  compareTable,
  linesOf,
  readLog,
  replayTables,
  rowText,
  type Evidence,
  type LogEntry,
  type ReplayedRows,
  type ResourceFigures,
  type Visibility,
} from '@pgstream/test-kit';
import type { Position } from '@pgstream/wal-event';
import type { Scene } from './scene.ts';

const RSS_BOUND_MIB = 250;
const DESCRIPTORS_BOUND = 100;
const LOG_BOUND_KIB = 2_048;

/**
 * Metrics that count what did not arrive as it was. Not among them: documents indexed without a value that was not in
 * the stream. A replay meets updates of rows that are deleted further on, and counts them; check C finds any that stay.
 */
const COUNTERS: ReadonlyArray<readonly [name: string, metric: string]> = [
  ['parked', 'pgstream_dlq_records_total'],
  ['gaps', 'pgstream_source_gaps'],
  ['ignored values', 'pgstream_search_ignored_values_total'],
  ['skipped changes', 'pgstream_search_skipped_total'],
  ['stale tables', 'pgstream_search_stale_tables'],
];

interface Outcome {
  /** From the end of the fault; `null` where it never was caught up. */
  readonly caughtUpMs: number | null;
  readonly boundMs: number;
}

/** Everything that was seen of a scene whose workload has ended. */
export async function collect(scene: Scene, outcome: Outcome): Promise<Evidence> {
  const { fault, load } = scene;
  const stops = fault.expects.kind === 'stops';
  const visible = await visibility(scene);
  const resources = figures(scene);
  await scene.progress?.close();
  const log = await logOf(scene);
  return {
    extent: stops ? 'until-stopped' : 'all',
    committed: stops ? acknowledgedEntries(scene) : await committedEntries(scene),
    acknowledged: load.entries,
    log,
    parked: await parkedPositions(scene, 'kafka'),
    differences: stops ? await indexAgainstLog(scene, log ?? []) : await tablesAgainstAll(scene, log),
    progress: scene.progress?.samples ?? [],
    resources,
    catchUp: { ms: outcome.caughtUpMs, boundMs: outcome.boundMs },
    visible,
  };
}

async function logOf({ isDirect, logSoFar, system }: Scene): Promise<readonly LogEntry[] | null> {
  if (isDirect) return null;
  return logSoFar ?? (await readLog(system.connection, system.topic));
}

async function committedEntries({ load, system }: Scene): Promise<Map<string, Map<number, number>>> {
  const committed = new Map<string, Map<number, number>>();
  for (const schema of load.schemas) {
    const { rows } = await system.sql.query(`SELECT n::text AS n, changes FROM ${schema}.ledger`);
    committed.set(schema, new Map(rows.map((row) => [Number(row['n']), Number(row['changes'])])));
  }
  return committed;
}

/** Where the tables are not what the product read from any more, what writers were told is all that is known. */
function acknowledgedEntries({ load }: Scene): Map<string, Map<number, number>> {
  const committed = new Map(load.schemas.map((schema) => [schema, new Map<number, number>()]));
  for (const { schema, n, changes } of load.entries) committed.get(schema)?.set(n, changes);
  return committed;
}

async function tablesAgainstAll(scene: Scene, log: readonly LogEntry[] | null): Promise<string[]> {
  const { sql } = scene.system;
  const replayed = log === null ? null : replayTables(log).tables;
  const differences: string[] = [];
  const { expects } = scene.fault;
  const emptied = expects.kind === 'resumes' ? expects.reports?.table : undefined;
  for (const { schema, table } of await tablesOf(scene)) {
    const name = `${schema}.${table}`;
    if (table === emptied && schema === scene.load.schemas[0]) continue;
    const found = await compareTable({
      sql,
      searchUrl: scene.servers.searchUrl,
      schema,
      table,
      fieldOf: expectedFieldOf,
    }).catch((error: unknown) => ({ differences: [String(error)] }));
    differences.push(...found.differences.map((text) => `index ${name}: ${text}`));
    if (replayed === null) continue;
    const { rows } = await sql.query(`SELECT * FROM ${name}`);
    differences.push(...logAgainstTable(name, rows, replayed.get(name)));
  }
  return differences;
}

function logAgainstTable(
  name: string,
  rows: ReadonlyArray<Record<string, unknown>>,
  replayed: ReplayedRows | undefined,
): string[] {
  const inTable = new Set(
    rows.map((row) => rowText(Object.entries(row).map(([key, value]) => [key, textOf(value)]))),
  );
  const inLog = new Set(replayed === undefined ? [] : linesOf(replayed));
  return [
    ...[...inTable]
      .filter((row) => !inLog.has(row))
      .map((row) => `only in the table ${name}: ${row.slice(0, 80)}`),
    ...[...inLog]
      .filter((row) => !inTable.has(row))
      .map((row) => `only in the log ${name}: ${row.slice(0, 80)}`),
  ];
}

/** Of the types of the workload: integers, numeric and text. */
function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' ? `${value}` : null;
}

/** After a stop the tables went on without us: the index must be what the log says. */
async function indexAgainstLog(scene: Scene, log: readonly LogEntry[]): Promise<string[]> {
  const differences: string[] = [];
  for (const [name, { columns, rows }] of replayTables(log).tables) {
    if (!scene.load.schemas.some((schema) => name.startsWith(`${schema}.`))) continue;
    const keys = name.endsWith('.pairs') ? ['a', 'b'] : [name.endsWith('.ledger') ? 'n' : 'id'];
    const found = await compareRows(
      { searchUrl: scene.servers.searchUrl, index: name, table: name, fieldOf: expectedFieldOf },
      columns.map((column) => ({ ...column, isKey: keys.includes(column.name) })),
      rows.map((row) => row.map((text) => text ?? null)),
    ).catch((error: unknown) => ({ differences: [String(error)] }));
    differences.push(...found.differences.map((text) => `index ${name}: ${text}`));
  }
  return differences;
}

async function tablesOf({ system, load }: Scene): Promise<Array<{ schema: string; table: string }>> {
  const { rows } = await system.sql.query(
    `SELECT n.nspname AS schema, c.relname AS "table"
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname = ANY ($1) ORDER BY 1, 2`,
    [load.schemas],
  );
  return rows.map((row) => ({ schema: String(row['schema']), table: String(row['table']) }));
}

function figures(scene: Scene): ResourceFigures[] {
  const { resources } = scene;
  return scene.names.flatMap((name): ResourceFigures[] => [
    {
      name,
      what: 'memory',
      value: Math.round(resources?.peakMib(name) ?? 0),
      bound: RSS_BOUND_MIB,
      unit: 'MiB',
    },
    {
      name,
      what: 'descriptors',
      value: resources?.peakDescriptors(name) ?? 0,
      bound: DESCRIPTORS_BOUND,
      unit: 'open',
    },
    {
      name,
      what: 'disk',
      value: Math.round(scene.logBytes(name) / 1024),
      bound: LOG_BOUND_KIB,
      unit: 'KiB of log lines',
    },
  ]);
}

async function visibility(scene: Scene): Promise<Visibility> {
  const { expects } = scene.fault;
  const counters = new Map<string, number>();
  for (const [counter, metric] of COUNTERS) {
    let sum = 0;
    for (const name of scene.crew.names) sum += await scene.metric(name, metric);
    counters.set(counter, sum);
  }
  const logs = scene.names.map((name) => scene.logOf(name));
  const lettersLogged = logs.reduce(
    (sum, text) => sum + text.split('a record was parked as a dead letter').length - 1,
    0,
  );
  const mayRestart = expects.kind === 'resumes' && expects.restarts === true;
  const exits = scene.crew.exits.filter(({ exitCode }) => !(mayRestart && exitCode === 1));
  return {
    exits: exits.map((exit) => ({ ...exit, ...lastWords(scene.logOf(exit.name)) })),
    expectedExit: expects.kind === 'stops' ? expects : null,
    counters,
    expectedCounter: expects.kind === 'resumes' ? (expects.reports?.counter ?? null) : null,
    letters: (await parkedPositions(scene, 'any')).length + (await parkedKeys(scene)),
    lettersLogged,
    expectsLetters: expects.kind === 'resumes' && expects.parks === true,
  };
}

/** Codes and remedy of the lines of level fatal. */
function lastWords(log: string): { codes: string[]; hasRemedy: boolean } {
  const lines = log.split('\n').filter((line) => line.includes('"level":60'));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a line of the product's own log
  const fatal = lines.map((line) => JSON.parse(line) as { code?: string; action?: string });
  return {
    codes: fatal.flatMap(({ code }) => code ?? []),
    hasRemedy: fatal.some(({ action }) => action !== undefined && action !== ''),
  };
}

/** Entries in the index of parked keys, which is made with the first. */
async function parkedKeys({ system }: Scene): Promise<number> {
  const index = `${system.servers.searchUrl}/${system.prefix}_own-parked`;
  await fetch(`${index}/_refresh`, { method: 'POST' });
  const answer = await fetch(`${index}/_count`);
  if (answer.status === 404) return 0;
  const { count }: { count?: number } = Object(await answer.json());
  if (count === undefined) throw new Error(`parked keys cannot be counted: ${answer.status}`);
  return count;
}

async function parkedPositions(scene: Scene, sink: 'kafka' | 'any'): Promise<Position[]> {
  const { system, isDirect } = scene;
  if (isDirect) return [];
  const found: Position[] = [];
  try {
    for await (const letter of listDeadLetters(system.connection, system.topic)) {
      if (sink === 'any' || letter.sink === sink) found.push(letter.position);
    }
  } catch {
    // there is no store before the first letter
  }
  return found;
}
