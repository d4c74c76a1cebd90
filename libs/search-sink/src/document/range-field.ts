import type { Note } from './convert.ts';
import type { RangeText } from './container-text.ts';
import type { FieldKind } from './field-kind.ts';
import { epochMs, isoTimestamp } from './time-text.ts';

/**
 * The value of a `long_range`, `double_range` or `date_range` field: `{"gte":1,"lt":5}`, open sides left out. A bound
 * at infinity is left out too, with a note. `undefined` where the engine would refuse the document: range fields do
 * not know `ignore_malformed`, work in milliseconds or doubles, and refuse a range that has become empty there.
 */
export function rangeField(of: FieldKind, range: RangeText, note: Note): string | undefined {
  const lower = boundOf(of, range.lower, note);
  const upper = boundOf(of, range.upper, note);
  if (lower === undefined || upper === undefined) return undefined;
  if (isRefused(lower, upper, range)) return undefined;
  const members: string[] = [];
  if (lower !== null) members.push(`"${range.lowerIncluded ? 'gte' : 'gt'}":${lower.json}`);
  if (upper !== null) members.push(`"${range.upperIncluded ? 'lte' : 'lt'}":${upper.json}`);
  return `{${members.join(',')}}`;
}

interface Bound {
  readonly json: string;
  /** What the engine compares: a double, whole milliseconds or, to 53 bits, a long. */
  readonly value: number;
  /** The distance to the next value there. */
  readonly step: number;
}

/** `null`: open. `undefined`: a bound that cannot be indexed. */
function boundOf(of: FieldKind, text: string | null, note: Note): Bound | null | undefined {
  if (text === null) return null;
  if (/^-?infinity$/i.test(text)) {
    note.lossy = true;
    return null;
  }
  if (of.kind === 'integer') return { json: text, value: Number(text), step: 0 };
  return of.kind === 'numeric' ? numericBound(text) : timeBound(text);
}

function numericBound(text: string): Bound | undefined {
  const value = Number(text);
  if (!Number.isFinite(value)) return undefined;
  return { json: `"${text}"`, value, step: Math.max(Math.abs(value) * Number.EPSILON, Number.MIN_VALUE) };
}

function timeBound(text: string): Bound | undefined {
  const iso = isoTimestamp(text);
  const value = iso === undefined ? undefined : epochMs(iso);
  return value === undefined ? undefined : { json: `"${iso}"`, value, step: 1 };
}

/** PostgreSQL makes integer ranges canonical, so that only one with a bound at the very end can be empty. */
const LONG_MIN = '-9223372036854775808';

function isRefused(lower: Bound | null, upper: Bound | null, range: RangeText): boolean {
  if (lower === null || upper === null) return upper?.json === LONG_MIN;
  const step = Math.max(lower.step, upper.step);
  const excluded = (range.lowerIncluded ? 0 : step) + (range.upperIncluded ? 0 : step);
  return excluded > 0 && upper.value - lower.value < excluded;
}
