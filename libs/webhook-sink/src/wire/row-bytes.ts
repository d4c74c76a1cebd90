import { Buffer } from 'node:buffer';
import type { ColumnSpec, ColumnValues } from '@pgstream/wal-event';

/** What stands before the value of each column, by the shape of the row. */
const labels = new WeakMap<readonly ColumnSpec[], readonly Buffer[]>();

/** A row of a record as the members `name: value` of a JSON object; values as they stand in the record, byte for byte. */
export class RowBytes {
  readonly length: number;
  readonly #source: Buffer;
  readonly #values: ColumnValues;
  readonly #labels: readonly Buffer[];

  /** @param values of `source`; to be used before another record is read into them. */
  constructor(source: Buffer, values: ColumnValues) {
    this.#source = source;
    this.#values = values;
    this.#labels = labelsOf(values.columns);
    let length = 0;
    for (let i = 0; i < values.count; i++) {
      length += (this.#labels[i]?.length ?? 0) + (values.ends[i] ?? 0) - (values.starts[i] ?? 0);
    }
    this.length = length;
  }

  /** Answers the end. */
  putInto(target: Buffer, at: number): number {
    const { count, starts, ends } = this.#values;
    let end = at;
    for (let i = 0; i < count; i++) {
      const label = this.#labels[i];
      if (label !== undefined) end += label.copy(target, end);
      end += this.#source.copy(target, end, starts[i], ends[i]);
    }
    return end;
  }
}

function labelsOf(columns: readonly ColumnSpec[]): readonly Buffer[] {
  let known = labels.get(columns);
  if (known === undefined) {
    known = columns.map(({ name }, i) => Buffer.from(`${i === 0 ? '' : ','}${JSON.stringify(name)}:`));
    labels.set(columns, known);
  }
  return known;
}
