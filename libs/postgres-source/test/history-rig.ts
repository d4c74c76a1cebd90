import { join } from 'node:path';
import { readMigrations } from '@pgstream/postgres-client';
import { uniqueName } from '@pgstream/test-kit';
import { parseLsn, type Lsn, type Position, type SchemaChange, type ShapeChange } from '@pgstream/wal-event';
import { Client } from 'pg';
import type { TableState } from '../src/history-port.ts';
import { SchemaHistory } from '../src/history/schema-history.ts';
import { captureInitialShapes, saveInitialShapes } from '../src/history/shape-store.ts';
import { HEADER, PgoutputDecoder, type DecodedRow, type PgoutputHandler } from '../src/pgoutput/decoder.ts';
import type { RelationMessage } from '../src/pgoutput/messages.ts';
import { rowValues } from '../src/pgoutput/row-values.ts';

const MIGRATIONS = join(__dirname, '../../../migrations');

/** A row as the stream has it, with the columns of its template. */
export interface RowEvent {
  readonly kind: 'row';
  readonly action: string;
  readonly table: string;
  readonly tableId: string;
  readonly columns: readonly string[];
  readonly ids: readonly string[];
  readonly types: readonly string[];
  readonly encodings: readonly string[];
  readonly keyColumnIds: readonly string[];
  readonly values: Readonly<Record<string, string | null>>;
}

export interface SchemaEvent {
  readonly kind: 'schema';
  readonly at: Position;
  readonly change: SchemaChange;
}

export type StreamEvent = RowEvent | SchemaEvent;

/** A database of its own with the migrations applied, a publication of all tables, a slot, and a history that reads it. */
export class HistoryRig {
  readonly adminUrl: string;
  readonly name: string;
  readonly slot: string;
  readonly db: Client;
  readonly extra: Client[] = [];
  history: SchemaHistory;

  private constructor(adminUrl: string, name: string, db: Client) {
    this.adminUrl = adminUrl;
    this.name = name;
    this.slot = `${name}_slot`;
    this.db = db;
    this.history = this.newHistory();
  }

  static async create(adminUrl: string, setup = ''): Promise<HistoryRig> {
    const name = uniqueName('hist');
    const admin = await connected(adminUrl);
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.end();
    const rig = new HistoryRig(adminUrl, name, await connected(urlOf(adminUrl, name)));
    if (setup !== '') await rig.db.query(setup);
    for (const { sql } of readMigrations(MIGRATIONS)) await rig.db.query(sql);
    await rig.db.query(`INSERT INTO pgstream.settings VALUES ('mode', 'all'), ('keyless', 'full')`);
    await rig.db.query('CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root)');
    await rig.db.query(`SELECT pg_create_logical_replication_slot('${rig.slot}', 'pgoutput')`);
    const shapes = await captureInitialShapes(rig.db);
    await saveInitialShapes(rig.db, rig.slot, await rig.confirmed(), shapes);
    await rig.history.load(await rig.confirmed());
    return rig;
  }

  newHistory(): SchemaHistory {
    return new SchemaHistory({ sql: this.db, slot: this.slot, systemId: '1', epoch: 1 });
  }

  async session(user?: string): Promise<Client> {
    const client = await connected(urlOf(this.adminUrl, this.name, user));
    this.extra.push(client);
    return client;
  }

  async confirmed(): Promise<Lsn> {
    const { rows } = await this.db.query<{ lsn: string }>(
      `SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = '${this.slot}'`,
    );
    return parseLsn(rows[0]!.lsn);
  }

  /** Reads what has been committed. `peek` leaves the slot where it is, as a crash before the confirmation would. */
  async read(mode: 'get' | 'peek' = 'get'): Promise<StreamEvent[]> {
    const collector = new Collector(this.history);
    const decoder = new PgoutputDecoder(collector);
    const { rows } = await this.db.query<{ data: Buffer }>(
      `SELECT data FROM pg_logical_slot_${mode}_binary_changes('${this.slot}', NULL, NULL, 'proto_version', '1',
         'publication_names', 'p', 'messages', 'true')`,
    );
    for (const { data } of rows) {
      const frame = Buffer.alloc(HEADER + data.length);
      frame.write('w');
      data.copy(frame, HEADER);
      decoder.decode(frame);
    }
    return collector.events;
  }

  /** Runs the statements, one by one, and reads what they did. */
  async story(...statements: string[]): Promise<StreamEvent[]> {
    for (const statement of statements) await this.db.query(statement);
    return this.read();
  }

  async changes(...statements: string[]): Promise<ShapeChange[]> {
    return changesOf(await this.story(...statements));
  }

  async drop(): Promise<void> {
    for (const client of this.extra) await client.end();
    await this.db.query(`SELECT pg_drop_replication_slot('${this.slot}')`);
    await this.db.end();
    const admin = await connected(this.adminUrl);
    await admin.query(`DROP DATABASE ${this.name} WITH (FORCE)`);
    await admin.end();
  }
}

export function changesOf(events: readonly StreamEvent[]): ShapeChange[] {
  return events.flatMap((event) => (event.kind === 'schema' ? event.change.changes : []));
}

export function schemaEvents(events: readonly StreamEvent[]): SchemaChange[] {
  return events.flatMap((event) => (event.kind === 'schema' ? event.change : []));
}

export function rowEvents(events: readonly StreamEvent[]): RowEvent[] {
  return events.filter((event) => event.kind === 'row');
}

function urlOf(base: string, database: string, user?: string): string {
  const url = new URL(base);
  url.pathname = `/${database}`;
  if (user !== undefined) {
    url.username = user;
    url.password = user;
  }
  return url.href;
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}

/** What the stream's assembler does with the history, without encoding. */
class Collector implements PgoutputHandler {
  readonly events: StreamEvent[] = [];
  readonly #history: SchemaHistory;
  readonly #relations = new Map<number, { message: RelationMessage; state: TableState }>();
  #commitLsn = 0n;
  #seq = 0;

  constructor(history: SchemaHistory) {
    this.#history = history;
  }

  begin(commitLsn: bigint): void {
    this.#commitLsn = commitLsn;
    this.#seq = 0;
  }

  commit(): void {}

  message(): void {
    this.#seq += 1;
  }

  type(message: Parameters<PgoutputHandler['type']>[0]): void {
    this.#history.type(message);
  }

  relation(message: RelationMessage): void {
    this.#relations.set(message.oid, { message, state: this.#history.relation(message) });
  }

  truncate(oids: readonly number[]): void {
    for (const oid of oids) this.#emit(oid, 'T', {});
  }

  row(row: DecodedRow): void {
    const { message } = this.#relations.get(row.relationOid)!;
    const tuple = row.newTuple >= 0 ? row.newTuple : row.oldTuple;
    const values = rowValues(row.bytes, tuple, message.columns);
    if (message.schema === 'pgstream') {
      const at = this.#at(1);
      this.#seq += 1;
      const isLog = message.table === 'schema_log' && row.action === 0x49;
      const change = isLog ? this.#history.logRow(values, at) : null;
      if (change !== null) this.events.push({ kind: 'schema', at, change });
      return;
    }
    this.#emit(row.relationOid, String.fromCharCode(row.action), Object.fromEntries(values));
  }

  #emit(oid: number, action: string, values: Record<string, string | null>): void {
    const { state } = this.#relations.get(oid)!;
    if (state.witness !== null) {
      const at = this.#at(0);
      this.events.push({ kind: 'schema', at, change: state.witness });
      this.#history.witnessed(oid, at);
    }
    this.#seq += 1;
    if (!state.captured) return;
    const { schema, table, tableId, keyColumnIds, columns } = state.template.spec;
    this.events.push({
      kind: 'row',
      action,
      table: `${schema}.${table}`,
      tableId,
      keyColumnIds,
      columns: columns.map(({ name }) => name),
      ids: columns.map(({ id }) => id.split('-')[1]!),
      types: columns.map(({ type }) => type),
      encodings: columns.map(({ encoding }) => encoding),
      values,
    });
  }

  #at(sub: 0 | 1): Position {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read from an LSN field of the protocol
    return { commitLsn: this.#commitLsn as Lsn, seq: this.#seq, sub };
  }
}
