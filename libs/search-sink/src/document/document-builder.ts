import { Buffer } from 'node:buffer';
import type { ColumnSpec, TableRef } from '@pgstream/wal-event';
import type { ByteSink } from './byte-sink.ts';
import { classifyType, type DocumentColumn, type FieldKind } from './field-kind.ts';
import { fieldNameOf } from './field-name.ts';
import { shapeOf, type Layout } from './mapping.ts';
import { rawMembers, type RawMember } from './raw-members.ts';
import type { RecordView } from './record-view.ts';
import { writerOf, type ValueWriter } from './value-writer.ts';

/** The newest known `_source` of the row, for the TOASTed columns that an UPDATE did not send. */
export interface PreviousDocument {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** From here on the changes of one transaction share a version: what tells them apart is written beside it. */
const FIRST_EQUAL_SEQ = 4095;

/** How to write the columns of one shape, by position. */
interface Plan {
  readonly columns: readonly ColumnSpec[];
  /** `,"name":` */
  readonly prefixes: readonly Buffer[];
  readonly fields: readonly string[];
  readonly writers: readonly ValueWriter[];
}

/**
 * Writes a row's `_source` from the bytes of its record; one row at a time, no object per row.
 *
 * Layout `table`: `{"col":…,"_pgstream":{"table":"schema.table","version":N,"seq":N,"incomplete":[…],"ignored":[…]}}`, the
 * fields named by {@link fieldNameOf}. Layout `pgstream`: `{"_table":"<table id>","<table id>-<attnum>":…,"_pgstream":…}`.
 * `seq` stands in documents of transactions with more than 4,095 changes. `ignored` names the fields that show less, or other, than the row; `incomplete` those whose value is not known.
 */
export class DocumentBuilder {
  /** Fields of the last document that hold null, or another form, in place of the row's value. */
  readonly ignored: string[] = [];
  /** Fields missing from the last document: unchanged TOAST of which nothing is known. */
  readonly incomplete: string[] = [];

  readonly #layout: Layout;
  readonly #shapes = new Map<string, Map<string, DocumentColumn>>();
  #plans = new WeakMap<readonly ColumnSpec[], Plan>();
  #plan: Plan | undefined;
  readonly #frames = new WeakMap<TableRef, Frame>();
  #ref: TableRef | undefined;
  #frame: Frame = { head: Buffer.alloc(0), tail: Buffer.alloc(0) };
  #first = true;

  constructor(options: { readonly layout: Layout }) {
    this.#layout = options.layout;
  }

  /** What schema records say of a table's types: domains, enums, composites. Replaces what was known. */
  setShape(tableId: string, columns: readonly DocumentColumn[]): void {
    this.#shapes.set(tableId, new Map(columns.map((column) => [column.id, column])));
    this.#plans = new WeakMap();
    this.#plan = undefined;
  }

  /** After the table was dropped. */
  forgetShape(tableId: string): void {
    this.#shapes.delete(tableId);
  }

  /**
   * True when the document of this record needs {@link PreviousDocument}: a TOASTed column was not sent, and the old
   * row, which REPLICA IDENTITY FULL sends, is not there to take it from.
   */
  needsPrevious(reader: RecordView): boolean {
    return reader.unchanged.some((name) => identityIndexOf(reader, name) < 0);
  }

  /**
   * Appends the `_source` of an INSERT or UPDATE to `out`, in one line. {@link ignored} and {@link incomplete}
   * describe it until the next call.
   *
   * @param version decimal digits
   */
  build(out: ByteSink, reader: RecordView, version: string, previous?: PreviousDocument): void {
    this.ignored.length = 0;
    this.incomplete.length = 0;
    const frame = this.#frameOf(reader.ref);
    out.write(frame.head);
    this.#first = this.#layout === 'table';
    this.#writeColumns(out, reader);
    if (reader.unchanged.length > 0) this.#writeUnchanged(out, reader, previous);
    if (this.#first) out.write(frame.tail, 1);
    else out.write(frame.tail);
    out.writeAscii(version);
    if (reader.seq >= FIRST_EQUAL_SEQ) out.writeAscii(`,"seq":${reader.seq}`);
    this.#writeNames(out, 'incomplete', this.incomplete);
    this.#writeNames(out, 'ignored', this.ignored);
    out.writeByte(0x7d);
    out.writeByte(0x7d);
  }

  // oxlint-disable-next-line complexity -- hot path: one loop over the columns
  #writeColumns(out: ByteSink, reader: RecordView): void {
    const { count, columns, starts, ends } = reader.columns;
    const plan = this.#planOf(reader.ref, columns);
    const { prefixes, writers } = plan;
    const { bytes } = reader;
    for (let i = 0; i < count; i += 1) {
      const prefix = prefixes[i];
      const writer = writers[i];
      if (prefix === undefined || writer === undefined) break;
      out.write(prefix, this.#first ? 1 : 0);
      this.#first = false;
      const start = starts[i] ?? 0;
      const end = ends[i] ?? 0;
      // null is the same for all kinds; no other JSON value begins with an n
      if (writer === null || bytes[start] === 0x6e) out.write(bytes, start, end);
      else if (writer(out, bytes, start, end)) this.ignored.push(plan.fields[i] ?? '');
    }
  }

  #writeUnchanged(out: ByteSink, reader: RecordView, previous: PreviousDocument | undefined): void {
    const known = previous === undefined ? undefined : membersOf(previous);
    for (const name of reader.unchanged) {
      const index = identityIndexOf(reader, name);
      if (index >= 0) this.#writeOld(out, reader, index);
      else this.#carryOver(out, this.#fieldNamed(reader, name), known);
    }
  }

  #carryOver(out: ByteSink, field: string, known: KnownMembers | undefined): void {
    const member = known?.members.get(field);
    if (known === undefined || member === undefined) {
      this.incomplete.push(field);
      return;
    }
    this.#writeName(out, field);
    out.write(known.bytes, member.start, member.end);
    if (known.ignored.includes(field)) this.ignored.push(field);
  }

  /** REPLICA IDENTITY FULL: the old row has the value. */
  #writeOld(out: ByteSink, reader: RecordView, index: number): void {
    const { bytes, identity } = reader;
    const plan = this.#planOf(reader.ref, identity.columns);
    const writer = plan.writers[index];
    const start = identity.starts[index] ?? 0;
    const end = identity.ends[index] ?? 0;
    this.#writeName(out, plan.fields[index] ?? '');
    if (writer === null || writer === undefined || bytes[start] === 0x6e) out.write(bytes, start, end);
    else if (writer(out, bytes, start, end)) this.ignored.push(plan.fields[index] ?? '');
  }

  #writeName(out: ByteSink, field: string): void {
    out.writeUtf8(`${this.#first ? '' : ','}${JSON.stringify(field)}:`);
    this.#first = false;
  }

  #writeNames(out: ByteSink, member: string, fields: readonly string[]): void {
    if (fields.length > 0) out.writeUtf8(`,"${member}":${JSON.stringify(fields)}`);
  }

  /** The record names unchanged columns only; layout `pgstream` needs the id, which the table's shape has. */
  #fieldNamed(reader: RecordView, name: string): string {
    if (this.#layout === 'table') return fieldNameOf(name);
    const columns = this.#shapes.get(reader.ref.tableId)?.values() ?? [];
    for (const column of columns) if (column.name === name) return column.id;
    return name;
  }

  #planOf(ref: TableRef, columns: readonly ColumnSpec[]): Plan {
    const last = this.#plan;
    if (last !== undefined && last.columns === columns) return last;
    let plan = this.#plans.get(columns);
    if (plan === undefined) {
      plan = compile(columns, this.#layout, this.#shapes.get(ref.tableId));
      this.#plans.set(columns, plan);
    }
    this.#plan = plan;
    return plan;
  }

  #frameOf(ref: TableRef): Frame {
    if (ref === this.#ref) return this.#frame;
    let frame = this.#frames.get(ref);
    if (frame === undefined) {
      const table = JSON.stringify(`${ref.schema}.${ref.table}`);
      frame = {
        head: Buffer.from(this.#layout === 'table' ? '{' : `{"_table":${JSON.stringify(ref.tableId)}`),
        tail: Buffer.from(`,"_pgstream":{"table":${table},"version":`),
      };
      this.#frames.set(ref, frame);
    }
    this.#ref = ref;
    this.#frame = frame;
    return frame;
  }
}

/** What stands before and after the fields of every document of a table. */
interface Frame {
  readonly head: Buffer;
  readonly tail: Buffer;
}

function compile(
  columns: readonly ColumnSpec[],
  layout: Layout,
  shapes: ReadonlyMap<string, DocumentColumn> | undefined,
): Plan {
  const fields = columns.map((column) => (layout === 'table' ? fieldNameOf(column.name) : column.id));
  return {
    columns,
    fields,
    prefixes: fields.map((field) => Buffer.from(`,${JSON.stringify(field)}:`)),
    writers: columns.map((column) => writerOf(kindOf(column, shapes?.get(column.id)), layout)),
  };
}

/** The shape counts only where it is of the type under which the row was written. */
function kindOf(column: ColumnSpec, shape: DocumentColumn | undefined): FieldKind {
  return classifyType(column.type, shape?.type === column.type ? shapeOf(shape) : undefined);
}

function identityIndexOf({ identity }: RecordView, name: string): number {
  return identity.count < 0 ? -1 : identity.columns.findIndex((column) => column.name === name);
}

interface KnownMembers {
  readonly bytes: Buffer;
  readonly members: ReadonlyMap<string, RawMember>;
  readonly ignored: readonly unknown[];
}

function membersOf(previous: PreviousDocument): KnownMembers {
  const { bytes, start, end } = previous;
  const members = rawMembers(bytes, start, end);
  return { bytes, members, ignored: ignoredOf(bytes, members.get('_pgstream')) };
}

function ignoredOf(bytes: Buffer, member: RawMember | undefined): readonly unknown[] {
  if (member === undefined) return [];
  const note: unknown = JSON.parse(bytes.toString('utf8', member.start, member.end));
  if (typeof note !== 'object' || note === null || !('ignored' in note)) return [];
  return Array.isArray(note.ignored) ? note.ignored : [];
}
