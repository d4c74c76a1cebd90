import { SearchStore } from '@pgstream/search-store';
import { endpoints, uniqueName } from '@pgstream/test-kit';
import {
  encodeRecord,
  parseLsn,
  RecordBatchBuilder,
  type ChangeRecord,
  type ColumnShape,
  type DeadLetter,
  type Lsn,
  type RecordBatch,
  type RecordColumn,
  type RecordValue,
  type SchemaChange,
  type ShapeChange,
  type TableShape,
} from '@pgstream/wal-event';
import { SearchSink, type SearchObserver, type SearchSinkOptions } from '../src/index.ts';

export type Row = Readonly<Record<string, RecordValue>>;

let tables = 0;

/** A table whose records a test makes by hand: column name to type, the first being the key. */
export class FakeTable {
  readonly schema: string;
  name: string;
  readonly id: string;
  types: Record<string, string>;
  readonly ids = new Map<string, string>();
  key: readonly string[];
  #attnum = 0;

  constructor(schema: string, name: string, types: Record<string, string>, key: readonly string[] = ['id']) {
    tables += 1;
    this.schema = schema;
    this.name = name;
    this.types = types;
    this.key = key;
    this.id = `t${process.pid.toString(36)}${Date.now().toString(36)}${tables}`.padEnd(20, '0').slice(0, 20);
    for (const column of Object.keys(types)) this.idOf(column);
  }

  idOf(column: string): string {
    let id = this.ids.get(column);
    if (id === undefined) {
      this.#attnum += 1;
      id = `${this.id}-${this.#attnum}`;
      this.ids.set(column, id);
    }
    return id;
  }

  renameColumn(from: string, to: string): void {
    this.ids.set(to, this.idOf(from));
    this.ids.delete(from);
    this.types = Object.fromEntries(
      Object.entries(this.types).map(([name, type]) => [name === from ? to : name, type]),
    );
  }

  columns(row: Row): RecordColumn[] {
    return Object.entries(row).map(([name, value]) => ({
      id: this.idOf(name),
      name,
      type: this.types[name] ?? 'text',
      value,
    }));
  }

  shape(): TableShape {
    return {
      table_id: this.id,
      oid: 1,
      schema: this.schema,
      name: this.name,
      columns: Object.entries(this.types).map(([name, type], i): ColumnShape => ({
        id: this.idOf(name),
        attnum: i + 1,
        name,
        type,
        base_type: type,
        nullable: true,
        default: null,
        generated: false,
        identity: null,
        unique: false,
        metadata: null,
      })),
      primary_key_columns: this.key,
      identity_columns: this.key,
      replica_identity: 'd',
    };
  }
}

/** The log of a database: hands out positions in commit order. */
export class FakeLog {
  /** Grows when the positions start over. */
  epoch = 1;
  #lsn = 0x1_0000_0000n;
  #seq = 0;

  /** Another cluster, or a restore: lower positions under a higher epoch. */
  startOver(): void {
    this.epoch += 1;
    this.#lsn = 0x100n;
    this.#seq = 0;
  }

  commit(): this {
    this.#lsn += 0x100n;
    this.#seq = 0;
    return this;
  }

  at(): { commitLsn: Lsn; seq: number; sub: 1 } {
    this.#seq += 1;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an LSN of our own making
    return { commitLsn: this.#lsn as Lsn, seq: this.#seq, sub: 1 };
  }

  skip(changes: number): void {
    this.#seq += changes;
  }

  insert(table: FakeTable, row: Row): ChangeRecord {
    return this.#record('I', table, { columns: table.columns(row) });
  }

  update(table: FakeTable, row: Row, more: { old?: Row; unchanged?: readonly string[] } = {}): ChangeRecord {
    const key = Object.fromEntries(table.key.map((name) => [name, row[name] ?? null]));
    return this.#record('U', table, {
      columns: table.columns(row),
      identity: table.columns(more.old ?? key),
      unchanged: more.unchanged ?? [],
    });
  }

  delete(table: FakeTable, key: Row): ChangeRecord {
    return this.#record('D', table, { identity: table.columns(key) });
  }

  truncate(table: FakeTable): ChangeRecord {
    return this.#record('T', table, {});
  }

  schema(changes: readonly ShapeChange[], more: Partial<SchemaChange> = {}): ChangeRecord {
    const content: SchemaChange = {
      ddl: '',
      schema_name: '',
      command_tag: 'ALTER TABLE',
      objects: [],
      schema_log: null,
      source: 'trigger',
      changes,
      ...more,
    };
    return {
      ...this.#record('M', null, {}),
      message: { prefix: 'pgstream.ddl', content: JSON.stringify(content) },
    };
  }

  altered(table: FakeTable, change: Partial<Extract<ShapeChange, { kind: 'table_altered' }>>): ChangeRecord {
    return this.schema([
      {
        kind: 'table_altered',
        table: table.shape(),
        from: null,
        added: [],
        dropped: [],
        renamed: [],
        retyped: [],
        key_changed: false,
        stale: [],
        ...change,
      },
    ]);
  }

  #record(
    action: ChangeRecord['action'],
    table: FakeTable | null,
    more: Partial<ChangeRecord>,
  ): ChangeRecord {
    return {
      action,
      timestamp: '2026-11-21 09:14:10.325235+00',
      position: this.at(),
      epoch: this.epoch,
      xid: 7,
      lsn: parseLsn('0/1'),
      schema: table?.schema ?? '',
      table: table?.name ?? '',
      columns: null,
      identity: null,
      tableId: table?.id ?? '',
      keyColumnIds:
        table === null || table.key.length === 0 ? null : table.key.map((name) => table.idOf(name)),
      unchanged: [],
      snapshot: false,
      ...more,
    };
  }
}

export function batchOf(records: readonly ChangeRecord[], lane = 0): RecordBatch {
  const batch = new RecordBatchBuilder(1024);
  batch.lane = lane;
  batch.epoch = records[0]?.epoch ?? 1;
  for (const record of records) {
    const bytes = encodeRecord(record);
    batch.reserve(bytes.length);
    bytes.copy(batch.bytes, batch.length);
    batch.push(
      {
        action: record.action.charCodeAt(0),
        commitLsn: record.position.commitLsn,
        seq: record.position.seq,
        sub: record.position.sub,
        commitTimeMs: 0,
        table: {
          schema: record.schema,
          table: record.table,
          tableId: record.tableId,
          keyColumnIds: record.keyColumnIds ?? [],
        },
      },
      batch.length + bytes.length,
    );
  }
  return batch;
}

export interface Rig {
  readonly store: SearchStore;
  readonly sink: SearchSink;
  readonly prefix: string;
  readonly schema: string;
  readonly log: FakeLog;
  readonly letters: DeadLetter[];
  readonly notices: Array<{ event: string; facts: Readonly<Record<string, string | number>> }>;
  readonly counts: Map<string, number>;
  /** Accepts one batch and resolves when it has settled. */
  write(records: readonly ChangeRecord[], lane?: number): Promise<void>;
  /** Accepts without waiting for the outcome. */
  begin(
    records: readonly ChangeRecord[],
    lane?: number,
    isOurs?: () => boolean,
  ): { accepted: Promise<void>; settled: Promise<void> };
  newSink(options?: Partial<SearchSinkOptions>): SearchSink;
  /** Documents behind an alias by id, as text without `_pgstream` unless asked for. */
  documents(alias: string): Promise<Record<string, Record<string, unknown>>>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function rig(options: Partial<SearchSinkOptions> = {}, url = endpoints().searchUrl): Rig {
  const prefix = uniqueName('pgs');
  const schema = uniqueName('app');
  const store = new SearchStore({ urls: [url] });
  const letters: DeadLetter[] = [];
  const notices: Rig['notices'] = [];
  const counts = new Map<string, number>();
  const count = (name: string) => (n: number) => void counts.set(name, (counts.get(name) ?? 0) + n);
  const observer: Partial<SearchObserver> = {
    indexed: count('indexed'),
    deleted: count('deleted'),
    conflicts: count('conflicts'),
    incomplete: count('incomplete'),
    keyless: count('keyless'),
    late: count('late'),
    parked: (_code, n) => count('parked')(n),
    keyParked: (letter) => void letters.push(letter),
    coalesced: count('coalesced'),
    unparked: (why, n) => count(why)(n),
    parkedKeys: (n) => void counts.set('parkedKeys', n),
    retried: (_code, n) => count('retried')(n),
    refreshed: ({ indices }) => count('refreshed')(indices),
    bulk: () => count('bulks')(1),
    staleTables: (n) => void counts.set('stale', n),
    notice: (event, facts) => void notices.push({ event, facts }),
  };
  const sinks: SearchSink[] = [];
  const newSink = (more: Partial<SearchSinkOptions> = {}) => {
    const sink = new SearchSink({
      store,
      deadLetters: { park: async (parked) => void letters.push(...parked) },
      indexSettings: { number_of_replicas: 0, number_of_shards: 1 },
      systemPrefix: prefix,
      backoff: { initialMs: 20, maxMs: 200 },
      observer,
      ...options,
      ...more,
    });
    sinks.push(sink);
    return sink;
  };
  const sink = newSink();
  const begin: Rig['begin'] = (records, lane = 0, isOurs = () => true) => {
    let accepted: Promise<void> = Promise.resolve();
    const settled = new Promise<void>((resolve, reject) => {
      const outcome = { settled: resolve, failed: reject };
      const batch = Object.assign(batchOf(records, lane), { isOurs });
      accepted = sink.write(batch, outcome, AbortSignal.timeout(60_000));
      accepted.catch(reject);
    });
    return { accepted, settled };
  };
  return {
    store,
    sink,
    prefix,
    schema,
    log: new FakeLog(),
    letters,
    notices,
    counts,
    begin,
    newSink,
    write: async (records, lane = 0) => begin(records, lane).settled,
    documents: async (alias) => documentsOf(store, alias),
    [Symbol.asyncDispose]: async () => {
      for (const one of sinks) await one.close();
      const direct = new SearchStore({ urls: [endpoints().searchUrl] });
      await direct.request('DELETE', `/${prefix}*,${schema}*`, { answers: [404] });
      await direct.close();
      await store.close();
    },
  };
}

export async function writeTo(sink: SearchSink, records: readonly ChangeRecord[], lane = 0): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    sink
      .write(batchOf(records, lane), { settled: resolve, failed: reject }, AbortSignal.timeout(60_000))
      .catch(reject);
  });
}

async function documentsOf(
  store: SearchStore,
  alias: string,
): Promise<Record<string, Record<string, unknown>>> {
  await store.request('POST', `/${alias}/_refresh`);
  const answer = await store.json<{
    hits: { hits: Array<{ _id: string; _source: Record<string, unknown> }> };
  }>('GET', `/${alias}/_search`, { query: { size: 1000 } });
  return Object.fromEntries(
    answer.hits.hits.map(({ _id, _source: { _pgstream, ...source } }) => [_id, source]),
  );
}

export function number(raw: string | number | bigint): { raw: string } {
  return { raw: String(raw) };
}
