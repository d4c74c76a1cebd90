import { Buffer } from 'node:buffer';
import type { ColumnSpec, ColumnValues, RecordReader, TableRef } from '@pgstream/wal-event';

/** What a record's key is made of, and so which records keep their order. */
export type Keying = 'schema' | 'table' | 'identity';

/** The key of every row of a table under `schema` and `table`. */
export function tableKey(keying: 'schema' | 'table', ref: TableRef): string {
  if (keying === 'schema') return ref.schema;
  // A logical message belongs to no table.
  return ref.table === '' ? ref.schema : qualifiedName(ref);
}

/** `schema.table`, with `\` before `\ . : ;` in either name. */
export function qualifiedName({ schema, table }: TableRef): string {
  return `${escapeName(schema)}.${escapeName(table)}`;
}

/** `schema.table:v1,v2` from the record that a reader stands on; rows of a table without a key share its name. */
export class IdentityKeys {
  readonly #names = new WeakMap<TableRef, string>();
  readonly #places = new WeakMap<
    readonly ColumnSpec[],
    { readonly ref: TableRef; readonly places: readonly number[] }
  >();

  /** Where the row is now. */
  current(reader: RecordReader): Buffer {
    return (
      this.#key(reader, reader.columns) ??
      this.#key(reader, reader.identity) ??
      Buffer.from(this.#nameOf(reader.ref))
    );
  }

  /** Where an update found the row, when that key is known. */
  previous(reader: RecordReader): Buffer | null {
    return this.#key(reader, reader.identity);
  }

  #key(reader: RecordReader, values: ColumnValues): Buffer | null {
    const places = this.#placesOf(reader.ref, values);
    if (places.length === 0) return null;
    const texts = places.map((place) => {
      const raw = reader.bytes.toString('utf8', values.starts[place], values.ends[place]);
      return escapeValue(raw.startsWith('"') ? String(JSON.parse(raw)) : raw);
    });
    return Buffer.from(`${this.#nameOf(reader.ref)}:${texts.join(',')}`);
  }

  #nameOf(ref: TableRef): string {
    const known = this.#names.get(ref);
    if (known !== undefined) return known;
    const name = qualifiedName(ref);
    this.#names.set(ref, name);
    return name;
  }

  /** Where the key columns stand in a row of this shape; empty unless all are there. */
  #placesOf(ref: TableRef, { count, columns }: ColumnValues): readonly number[] {
    if (count < 0 || ref.keyColumnIds.length === 0) return [];
    const known = this.#places.get(columns);
    if (known?.ref === ref) return known.places;
    const found = ref.keyColumnIds.map((id) => columns.findIndex((column) => column.id === id));
    const places = found.includes(-1) ? [] : found;
    this.#places.set(columns, { ref, places });
    return places;
  }
}

function escapeName(name: string): string {
  return name.replaceAll(/[\\.:;]/g, String.raw`\$&`);
}

function escapeValue(value: string): string {
  return value.replaceAll(/[\\,]/g, String.raw`\$&`);
}
