import type { Sql } from '../sql.ts';
import type { KnownTable } from './known-table.ts';
import type { SchemaHistory } from './schema-history.ts';
import { markOf } from './shape-ledger.ts';
import { captureInitialShapes, type CatalogueShapes } from './shape-store.ts';

/** What differs between catalogue and history, of one schema. Becomes one row of pgstream.schema_log. */
interface Finding {
  readonly shapes: KnownTable[];
  readonly dropped: { kind: 'table' | 'schema'; oid: number; schema: string | null; name: string }[];
  readonly schemas: { oid: number; name: string }[];
  /** By object, what the history knew: the row is void where that has changed before it arrives. */
  readonly expected: Record<string, string>;
}

/**
 * Compares the catalogue with the history and writes what no trigger recorded into `pgstream.schema_log`, so that it comes
 * through the stream in order. For DDL whose trigger was missing, switched off, or failed.
 */
export class Reconciler {
  readonly #sql: Sql;
  readonly #history: SchemaHistory;
  /** State of catalogue and history at which nothing was found. */
  #settled = '';
  #suspects = new Map<string, string>();

  constructor(sql: Sql, history: SchemaHistory) {
    this.#sql = sql;
    this.#history = history;
  }

  /**
   * One round. Call it every 30 s while the stream has caught up, never twice at a time. A difference is written when two
   * rounds in a row see it: what is on its way through the stream explains itself in between.
   * @returns how many rows were written.
   */
  async round(): Promise<number> {
    const { rows } = await this.#sql.query('SELECT pgstream.catalogue_mark() AS mark');
    const mark = `${String(rows[0]?.['mark'])} ${this.#history.revision}`;
    if (mark === this.#settled) return 0;
    const catalogue = await captureInitialShapes(this.#sql);
    const differences = this.#compare(catalogue);
    if (differences.size === 0) this.#settled = mark;
    const confirmed = [...differences].filter(
      ([key, { signature }]) => this.#suspects.get(key) === signature,
    );
    this.#suspects = new Map([...differences].map(([key, { signature }]) => [key, signature]));
    const findings = new Map<string, Finding>();
    for (const [key, difference] of confirmed) {
      this.#suspects.delete(key);
      note(findings, key, difference);
    }
    for (const [schema, finding] of findings) await this.#write(schema, finding);
    return findings.size;
  }

  #compare(catalogue: CatalogueShapes): Map<string, Difference> {
    const ledger = this.#history.ledger;
    const found = new Map<string, Difference>();
    const schemas = new Map(catalogue.schemas.map((schema) => [schema.oid, schema]));
    for (const [oid, name] of ledger.schemas()) {
      if (!schemas.has(oid)) found.set(`schema:${oid}`, dropped('schema', { oid, schema: null, name }, name));
    }
    for (const { oid, name } of catalogue.schemas) {
      const known = ledger.schema(oid) ?? 'none';
      if (known !== name)
        found.set(`schema:${oid}`, { schema: name, expected: known, signature: name, found: { oid, name } });
    }
    const tables = new Map(catalogue.tables.map((table) => [table.oid, table]));
    for (const table of ledger.tables()) {
      if (!tables.has(table.oid)) found.set(`table:${table.oid}`, dropped('table', table, markOf(table)));
    }
    for (const table of catalogue.tables) {
      const expected = markOf(ledger.table(table.oid));
      const signature = markOf(table);
      if (expected !== signature)
        found.set(`table:${table.oid}`, { schema: table.schema, expected, signature, shape: table });
    }
    return found;
  }

  async #write(schema: string, finding: Finding): Promise<void> {
    const { shapes, dropped: gone, schemas, expected } = finding;
    await this.#sql.query(
      `INSERT INTO pgstream.schema_log (schema_name, schema, shapes, dropped, schemas, expected, source, command_tag)
       VALUES ($1, '{"tables": null}', $2, $3, $4, $5, 'catalogue', 'RECONCILE')`,
      [schema, ...[shapes, gone, schemas, expected].map((part) => JSON.stringify(part))],
    );
  }
}

interface Difference {
  readonly schema: string;
  readonly expected: string;
  readonly signature: string;
  readonly shape?: KnownTable;
  readonly found?: { readonly oid: number; readonly name: string };
  readonly gone?: Finding['dropped'][number];
}

function dropped(
  kind: 'table' | 'schema',
  object: { readonly oid: number; readonly schema: string | null; readonly name: string },
  expected: string,
): Difference {
  const { oid, schema, name } = object;
  return { schema: schema ?? name, expected, signature: 'dropped', gone: { kind, oid, schema, name } };
}

function note(findings: Map<string, Finding>, key: string, difference: Difference): void {
  const { schema, expected, shape, found, gone } = difference;
  const finding = findings.get(schema) ?? { shapes: [], dropped: [], schemas: [], expected: {} };
  findings.set(schema, finding);
  finding.expected[key] = expected;
  if (shape !== undefined) finding.shapes.push(shape);
  if (found !== undefined) finding.schemas.push(found);
  if (gone?.kind === 'table') finding.dropped.unshift(gone);
  else if (gone !== undefined) finding.dropped.push(gone);
}
