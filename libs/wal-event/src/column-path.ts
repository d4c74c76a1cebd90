import { Buffer } from 'node:buffer';
import { Literal, scalarEnd, type Viewed } from './json-bytes.ts';
import { RecordFormatError } from './record-format-error.ts';
import type { ColumnSpec } from './table.ts';

/** Paths remembered before all are forgotten: bounds the memory of a reader that meets very many tables. */
const MAX_NODES = 200_000;
const COLUMN = /^\{"id":("(?:[^"\\]|\\.)*"),"name":("(?:[^"\\]|\\.)*"),"type":("(?:[^"\\]|\\.)*"),"value":$/;
const VALUE_MEMBER = Buffer.from(',"value":');
const NO_PREFIX = new Literal('');

/** A column as the n-th of a row, with the columns before it. Rows of one shape walk the same path. */
interface PathNode {
  readonly column: ColumnSpec | null;
  readonly prefix: Literal;
  readonly parent: PathNode | null;
  readonly depth: number;
  /** The child met last: the next row has it too, nearly always. */
  last: PathNode | null;
  children: Map<string, PathNode> | null;
  columns: readonly ColumnSpec[] | null;
}

/** Values of one array of columns, as byte ranges of raw JSON text. Reused from record to record. */
export interface ColumnValues {
  /** -1 where the record has `null` in place of the array. */
  count: number;
  /** The same array object for every record with the same columns in the same order. */
  columns: readonly ColumnSpec[];
  readonly starts: number[];
  readonly ends: number[];
}

const NO_COLUMNS: readonly ColumnSpec[] = [];

export function emptyColumnValues(): ColumnValues {
  return { count: -1, columns: NO_COLUMNS, starts: [], ends: [] };
}

/** Reads arrays of columns, remembering the shapes met so that known ones are compared rather than parsed. */
export class ColumnPaths {
  #root = newNode(null, NO_PREFIX, null);
  #nodes = 0;

  /**
   * Reads `null` or an array of columns at `at`; answers the offset after it.
   * @throws {RecordFormatError}
   */
  read(source: Viewed, at: number, limit: number, into: ColumnValues): number {
    const { bytes, view } = source;
    if (bytes[at] === 0x6e) {
      into.count = -1;
      into.columns = NO_COLUMNS;
      return at + 4;
    }
    if (bytes[at] !== 0x5b) throw new RecordFormatError('[ or null', at);
    let p = at + 1;
    let node = this.#root;
    let count = 0;
    if (bytes[p] === 0x5d) return this.#finish(into, node, count, p + 1);
    for (;;) {
      node = this.#step(node, source, p, limit);
      p += node.prefix.length;
      const end = scalarEnd(view, p, limit);
      if (end < 0 || bytes[end] !== 0x7d) throw new RecordFormatError('a value and }', p);
      into.starts[count] = p;
      into.ends[count] = end;
      count++;
      p = end + 1;
      const next = bytes[p++];
      if (next === 0x5d) return this.#finish(into, node, count, p);
      if (next !== 0x2c) throw new RecordFormatError(', or ]', p - 1);
    }
  }

  #finish(into: ColumnValues, node: PathNode, count: number, end: number): number {
    into.count = count;
    into.columns = node.columns ??= columnsOf(node);
    return end;
  }

  #step(node: PathNode, { bytes, view }: Viewed, at: number, limit: number): PathNode {
    const { last } = node;
    if (last !== null && last.prefix.isAt(view, at)) return last;
    const end = bytes.indexOf(VALUE_MEMBER, at);
    if (end < 0 || end >= limit) throw new RecordFormatError('a column', at);
    const text = bytes.toString('utf8', at, end + VALUE_MEMBER.length);
    const child = node.children?.get(text) ?? this.#grow(node, text, at);
    node.last = child;
    return child;
  }

  #grow(node: PathNode, text: string, at: number): PathNode {
    const [, id, name, type] = COLUMN.exec(text) ?? [];
    if (id === undefined || name === undefined || type === undefined)
      throw new RecordFormatError('a column', at);
    const column: ColumnSpec = { id: parseText(id), name: parseText(name), type: parseText(type) };
    const child = newNode(column, new Literal(text), node);
    if (++this.#nodes > MAX_NODES) {
      this.#root = newNode(null, NO_PREFIX, null);
      this.#nodes = 0;
    } else {
      (node.children ??= new Map()).set(text, child);
    }
    return child;
  }
}

function newNode(column: ColumnSpec | null, prefix: Literal, parent: PathNode | null): PathNode {
  const depth = parent === null ? 0 : parent.depth + 1;
  return { column, prefix, parent, depth, last: null, children: null, columns: null };
}

function columnsOf(node: PathNode): readonly ColumnSpec[] {
  const columns: ColumnSpec[] = [];
  for (let n: PathNode | null = node; n !== null && n.column !== null; n = n.parent) columns.push(n.column);
  return columns.toReversed();
}

/** @throws {RecordFormatError} unless `json` is one JSON string. */
export function parseText(json: string): string {
  const value = parseJson(json);
  if (typeof value !== 'string') throw new RecordFormatError('a string', 0);
  return value;
}

/** @throws {RecordFormatError} unless `json` is JSON. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // the parser's message may quote a value, so it is not carried on
    throw new RecordFormatError('JSON', 0);
  }
}
