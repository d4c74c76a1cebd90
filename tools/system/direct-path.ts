import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  initDatabase,
  loadPgstreamConfig,
  routeOf,
  runRoute,
  type InitRequest,
  type PgstreamConfig,
} from '@pgstream/assembly';
import type { PostgresPool } from '@pgstream/postgres-client';
import { expectedFieldOf } from '@pgstream/search-sink';
import { createLog } from '@pgstream/service-runtime';
import {
  compareTable,
  endpoints,
  readDocuments,
  uniqueName,
  waitFor,
  workspaceRoot,
  type FieldText,
} from '@pgstream/test-kit';
import { openSql } from '../product/sql.ts';
import { dropDatabase, urlOf } from './system.ts';

export interface DirectPathOptions {
  /** Default: the server of `endpoints()`. */
  readonly serverUrl?: string;
  /** Statements before `init`; `%db` stands for the name of the database, also in `role`. */
  readonly before?: string;
  readonly init?: Partial<InitRequest>;
  /** Settings besides the addresses. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The product's role in place of the superuser; `before` creates it, with its name as password. */
  readonly role?: string;
}

/** A database of its own, streamed into indices of its own by the product's own wiring, in this process. */
export class DirectPath {
  /** Of the database, and of every index. */
  readonly name: string;
  readonly url: string;
  readonly role: string | null;
  /** A superuser's sessions with pinned settings. */
  readonly sql: PostgresPool;
  readonly #serverUrl: string;
  readonly #options: DirectPathOptions;
  readonly #searchUrl = endpoints().searchUrl;
  readonly #running: Route[] = [];

  private constructor(name: string, options: DirectPathOptions, sql: PostgresPool) {
    this.name = name;
    this.#options = options;
    this.#serverUrl = options.serverUrl ?? endpoints().postgresUrl;
    this.url = urlOf(this.#serverUrl, name);
    this.role = options.role?.replaceAll('%db', name) ?? null;
    this.sql = sql;
  }

  /** Made, `init` done, not yet running. */
  static async create(name: string, options: DirectPathOptions = {}): Promise<DirectPath> {
    const serverUrl = options.serverUrl ?? endpoints().postgresUrl;
    const database = uniqueName(name);
    const admin = await openSql(serverUrl, 'system-test');
    await admin.query(`CREATE DATABASE ${database}`);
    await admin.end();
    const path = new DirectPath(database, options, await openSql(urlOf(serverUrl, database), 'system-test'));
    if (options.before !== undefined) await path.sql.query(options.before.replaceAll('%db', database));
    await path.init();
    return path;
  }

  /** Made and running. */
  static async start(name: string, options: DirectPathOptions = {}): Promise<DirectPath> {
    const path = await DirectPath.create(name, options);
    path.run();
    return path;
  }

  async init(slot?: string): Promise<void> {
    await initDatabase(
      this.config(slot === undefined ? {} : { PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME: slot }),
      {
        migrationsDir: join(workspaceRoot(), 'migrations'),
        keyless: 'full',
        ...this.#options.init,
      },
    );
  }

  config(more: Readonly<Record<string, string>> = {}): PgstreamConfig {
    const { environment } = this.#options;
    const url = new URL(this.url);
    if (this.role !== null) [url.username, url.password] = [this.role, this.role];
    const target =
      more['PGSTREAM_TARGET'] === undefined ? { PGSTREAM_OPENSEARCH_STORE_URL: this.#searchUrl } : {};
    const env = {
      PGSTREAM_POSTGRES_LISTENER_URL: url.href,
      ...target,
      PGSTREAM_SEARCH_SYSTEM_INDEX: this.name,
      PGSTREAM_SEARCH_INDEX_TEMPLATE: `${this.name}-{schema}.{table}`,
      PGSTREAM_SEARCH_INDEX_REPLICAS: '0',
      ...environment,
      ...more,
    };
    return loadPgstreamConfig({ env, need: 'route' }).config;
  }

  /** Starts streaming; `more` are settings of this run alone. */
  run(more: Readonly<Record<string, string>> = {}, stdout = new PassThrough().resume()): void {
    const config = this.config(more);
    const route = routeOf(config);
    if ('faults' in route) throw new Error(route.faults.join('\n'));
    this.#running.push(
      new Route((service) => runRoute({ config, route, service, version: 'test', health: false, stdout })),
    );
  }

  /** An orderly stop of everything that streams. */
  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((route) => route.stop()));
  }

  /** Until everything committed by now is durable in the index and confirmed. @throws what ended the streaming. */
  async settled(timeoutMs = 60_000): Promise<void> {
    const { rows } = await this.sql.query(
      `SELECT pg_logical_emit_message(true, 'settled', ''); SELECT pg_current_wal_insert_lsn()::text AS lsn`,
    );
    await waitFor(
      'the slots to pass what is committed',
      async () => {
        if (this.#running.some(({ ended }) => ended)) return true;
        const slots = await this.sql.query(
          `SELECT bool_and(confirmed_flush_lsn >= $1::pg_lsn) AS passed
             FROM pg_replication_slots WHERE database = current_database()`,
          [rows[0]?.['lsn']],
        );
        return slots.rows[0]?.['passed'] === true;
      },
      timeoutMs,
    );
    for (const route of this.#running) route.check();
  }

  /** Domains and composites as the catalogue has them, by the name of the type. */
  async #shapes(): Promise<ReadonlyMap<string, Shape>> {
    const { rows } = await this.sql.query(`
      SELECT format_type(t.oid, NULL) AS type, format_type(nullif(t.typarray, 0), NULL) AS array,
        CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE 'composite' END AS base,
        (SELECT jsonb_agg(jsonb_build_object('name', attname, 'type', format_type(atttypid, atttypmod)) ORDER BY attnum)
           FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped) AS attributes
      FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.oid >= 16384 AND (t.typtype = 'd' OR c.relkind = 'c')`);
    return new Map(
      rows.flatMap(({ type, array, base, attributes }) => {
        const shape: Shape = { base_type: String(base), ...(isAttributes(attributes) ? { attributes } : {}) };
        return [
          [String(type), shape] as const,
          ...(isAttributes(attributes) ? [[String(array), shape] as const] : []),
        ];
      }),
    );
  }

  /** What differs between a table and its index, in words. */
  async differences(
    table: string,
    options: Partial<Parameters<typeof compareTable>[0]> = {},
  ): Promise<readonly string[]> {
    const [schema = '', name = ''] = table.includes('.') ? table.split('.') : ['public', table];
    const { sql } = this;
    const shapes = await this.#shapes();
    const found = await compareTable({
      sql,
      searchUrl: this.#searchUrl,
      schema,
      table: name,
      index: this.indexOf(table),
      fieldOf: (type, text) => {
        const shape = shapes.get(type);
        return expectedFieldOf(type, text, shape === undefined ? {} : { shape });
      },
      ...options,
    });
    return found.differences;
  }

  /** Documents of a table's index, each as `field=JSON …` in order of the fields, sorted; without ours. */
  async documents(table: string): Promise<string[]> {
    const lines: string[] = [];
    for await (const document of readDocuments(this.#searchUrl, this.indexOf(table)))
      lines.push(lineOf(document));
    return lines.toSorted();
  }

  /** Names that stand for an index of a table, sorted: what was dropped or renamed away is not among them. */
  async indices(): Promise<string[]> {
    const answer = await fetch(`${this.#searchUrl}/_cat/aliases/${this.name}-*?h=alias`);
    const aliases = (await answer.text()).split('\n').map((line) => line.trim());
    const prefix = `${this.name}-`;
    // the others are those that bulks address
    return aliases
      .filter((alias) => alias.includes('.'))
      .map((alias) => alias.slice(prefix.length))
      .toSorted();
  }

  /** Why rows in the index may differ from the table, as the product reports it. */
  async stale(table: string): Promise<string[]> {
    const [schema = '', name = ''] = table.includes('.') ? table.split('.') : ['public', table];
    for await (const state of readDocuments(this.#searchUrl, `${this.name}-tables`)) {
      if (state.get('schema') !== JSON.stringify(schema) || state.get('table') !== JSON.stringify(name))
        continue;
      if (state.get('dropped') === 'true') continue;
      const reasons: unknown = JSON.parse(state.get('stale') ?? '[]');
      if (Array.isArray(reasons)) return reasons.map(String);
    }
    return ['no such table'];
  }

  indexOf(table: string): string {
    return `${this.name}-${table.includes('.') ? table : `public.${table}`}`.toLowerCase();
  }

  async close(): Promise<void> {
    await this.stop();
    await this.sql.end();
    await dropDatabase(this.#serverUrl, this.name);
    if (this.role !== null) await this.#dropRole(this.role);
    await fetch(`${this.#searchUrl}/${this.name}*`, { method: 'DELETE' });
  }

  async #dropRole(role: string): Promise<void> {
    const admin = await openSql(this.#serverUrl, 'system-test');
    await admin.query(`DROP ROLE ${role}`);
    await admin.end();
  }
}

function lineOf(document: ReadonlyMap<string, FieldText>): string {
  const fields = [...document].filter(([name]) => name !== '_pgstream' && name !== '_table');
  return fields.map(([name, text]) => `${name}=${text}`).join(' ');
}

type Shape = NonNullable<NonNullable<Parameters<typeof expectedFieldOf>[2]>['shape']>;

function isAttributes(value: unknown): value is NonNullable<Shape['attributes']> {
  return Array.isArray(value);
}

type Service = Parameters<typeof runRoute>[0]['service'];

/** One run of the product in this process. */
class Route {
  ended = false;
  #failure: Error | undefined;
  readonly #stop = new AbortController();
  readonly #closers: Array<() => Promise<void>> = [];
  readonly #done: Promise<void>;

  constructor(run: (service: Service) => Promise<void>) {
    const level = process.env['TEST_LOG'] === undefined ? 'fatal' : 'info';
    const log = createLog('system-test', { level, format: 'json', color: false });
    const defer = (_name: string, close: () => Promise<void>) => void this.#closers.push(close);
    this.#done = run({ log, signal: this.#stop.signal, defer })
      .catch((cause: unknown) => {
        if (cause === this.#stop.signal.reason) return;
        this.#failure = cause instanceof Error ? cause : new Error(String(cause));
      })
      .finally(() => (this.ended = true));
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.ended) throw new Error('the streaming has ended');
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the test is over'));
    await this.#done;
    for (const close of this.#closers.toReversed()) await close();
    if (this.#failure !== undefined) throw this.#failure;
  }
}
