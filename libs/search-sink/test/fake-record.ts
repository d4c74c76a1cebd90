import { Buffer } from 'node:buffer';
import type { TypeShape } from '../src/document/index.ts';
import type { RecordView } from '../src/document/index.ts';
import { classifyType } from '../src/document/index.ts';
import { encodingOfText } from '../src/document/record-value.ts';

/** A column with its value as PostgreSQL prints it; `null` is NULL. */
export interface Cell {
  readonly name: string;
  readonly type: string;
  readonly text: string | null;
  readonly shape?: TypeShape;
}

export interface FakeRow {
  readonly table?: string;
  readonly key?: readonly string[];
  readonly columns?: readonly Cell[];
  readonly identity?: readonly Cell[];
  readonly seq?: number;
  readonly unchanged?: readonly string[];
}

/** A record as a reader shows it after `read`, of the table `app.<table>` with the id `t`. */
export function recordOf(row: FakeRow): RecordView {
  const columns = row.columns ?? [];
  const identity = row.identity ?? [];
  const values = [...columns, ...identity].map(rawValue);
  const bytes = Buffer.from(values.join(','));
  let at = 0;
  const bounds = values.map((value) => {
    const start = at;
    at += Buffer.byteLength(value) + 1;
    return { start, end: at - 1 };
  });
  return {
    bytes,
    ref: {
      schema: 'app',
      table: row.table ?? 'orders',
      tableId: 't',
      keyColumnIds: (row.key ?? ['id']).map((name) => `t-${name}`),
    },
    columns: valuesOf(row.columns, bounds.slice(0, columns.length)),
    identity: valuesOf(row.identity, bounds.slice(columns.length)),
    seq: row.seq ?? 0,
    unchanged: row.unchanged ?? [],
  };
}

function rawValue(cell: Cell): string {
  return cell.text === null ? 'null' : encodingOfText(classifyType(cell.type, cell.shape), cell.text);
}

function valuesOf(cells: readonly Cell[] | undefined, bounds: readonly { start: number; end: number }[]) {
  return {
    count: cells === undefined ? -1 : cells.length,
    columns: (cells ?? []).map(({ name, type }) => ({ id: `t-${name}`, name, type })),
    starts: bounds.map(({ start }) => start),
    ends: bounds.map(({ end }) => end),
  };
}
