import type { Buffer } from 'node:buffer';
import type { ByteSink } from './byte-sink.ts';
import { convertText, type Note } from './convert.ts';
import type { FieldKind } from './field-kind.ts';
import { writePlainJsonb } from './jsonb-bytes.ts';
import type { Layout } from './mapping.ts';

/**
 * Writes the raw JSON value `bytes[start, end)` of a record as the value of a field; never called for null. Answers true when the
 * field shows less, or other, than the row. A writer that is `null` means: copy the bytes.
 */
export type ValueWriter = ((out: ByteSink, bytes: Buffer, start: number, end: number) => boolean) | null;

const QUOTE = 0x22;
/** Above this length JSON parsers of search engines refuse a number literal. */
const MAX_NUMBER_LENGTH = 1000;

const COPIED: ReadonlySet<FieldKind['kind']> = new Set<FieldKind['kind']>([
  'integer',
  'boolean',
  'text',
  'keyword',
  'stored',
  'time',
  'bytea',
]);

export function writerOf(field: FieldKind, layout: Layout): ValueWriter {
  if (COPIED.has(field.kind)) return null;
  if (field.kind === 'float') return writeLiteral;
  if (field.kind === 'numeric') return layout === 'table' ? writeDigits : writeLiteral;
  if (field.kind === 'timestamp') return writeTimestamp(field);
  if (layout === 'pgstream' && (field.kind === 'json' || field.kind === 'jsonb')) return null;
  return field.kind === 'jsonb' ? writeJsonb(field) : converting(field);
}

function writeJsonb(field: FieldKind): NonNullable<ValueWriter> {
  const convert = converting(field);
  return (out, bytes, start, end) => {
    if (bytes[start] === QUOTE && writePlainJsonb(out, bytes, start, end)) return false;
    return convert(out, bytes, start, end);
  };
}

/** A number literal as a string of its digits. */
function writeDigits(out: ByteSink, bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] === QUOTE) return writeNull(out);
  out.writeByte(QUOTE);
  out.write(bytes, start, end);
  out.writeByte(QUOTE);
  return false;
}

/** A number literal as it is. NaN and infinities are strings in the record and have no place in a number field. */
function writeLiteral(out: ByteSink, bytes: Buffer, start: number, end: number): boolean {
  if (end - start > MAX_NUMBER_LENGTH) return writeDigits(out, bytes, start, end);
  if (bytes[start] === QUOTE) return writeNull(out);
  out.write(bytes, start, end);
  return false;
}

function writeNull(out: ByteSink): boolean {
  out.writeAscii('null');
  return true;
}

/** `"2026-11-21 09:14:10.325235+00"` by patching bytes; other forms take the long way. */
function writeTimestamp(field: FieldKind): NonNullable<ValueWriter> {
  const convert = converting(field);
  return (out, bytes, start, end) => {
    const isUtc = bytes[end - 4] === 0x2b && bytes[end - 3] === 0x30 && bytes[end - 2] === 0x30;
    if (!hasPlainDate(bytes, start, end) || !(isUtc || isLocal(bytes, end)))
      return convert(out, bytes, start, end);
    const at = out.length;
    out.write(bytes, start, isUtc ? end - 4 : end - 1);
    out.bytes[at + 11] = 0x54;
    if (isUtc) out.writeByte(0x5a);
    out.writeByte(QUOTE);
    return false;
  };
}

/** A year of four digits and a time of day; what follows it is not looked at. */
function hasPlainDate(bytes: Buffer, start: number, end: number): boolean {
  const size = end - start;
  if (size < 21 || size > 31) return false;
  return bytes[start + 5] === 0x2d && bytes[start + 11] === 0x20 && bytes[start + 14] === 0x3a;
}

/** Without a zone: the last 3 characters are `:00` or digits of a fraction, never `+HH` or ` BC`. */
function isLocal(bytes: Buffer, end: number): boolean {
  for (let i = end - 4; i < end - 1; i += 1) {
    const byte = bytes[i] ?? 0;
    if ((byte < 0x30 || byte > 0x3a) && byte !== 0x2e) return false;
  }
  return true;
}

/** Through the text of the value. A value that is no string is of a type the record knew better: it stays. */
function converting(field: FieldKind): NonNullable<ValueWriter> {
  return (out, bytes, start, end) => {
    if (bytes[start] !== QUOTE) {
      out.write(bytes, start, end);
      return false;
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a JSON string
    const text = JSON.parse(bytes.toString('utf8', start, end)) as string;
    const note: Note = { lossy: false };
    out.writeUtf8(convertText(field, text, note));
    return note.lossy;
  };
}
