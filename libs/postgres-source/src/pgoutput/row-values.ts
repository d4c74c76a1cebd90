import type { Buffer } from 'node:buffer';
import type { RelationColumn } from './messages.ts';

/** A whole row as text by column name, for the few tables that are read here. Unchanged TOAST is absent. */
export function rowValues(
  bytes: Buffer,
  tuple: number,
  columns: readonly RelationColumn[],
): ReadonlyMap<string, string | null> {
  const values = new Map<string, string | null>();
  let o = tuple + 2;
  for (const { name } of columns) {
    const kind = bytes[o++];
    if (kind === 0x75) continue;
    if (kind === 0x6e) {
      values.set(name, null);
      continue;
    }
    const from = o + 4;
    o = from + bytes.readUInt32BE(o);
    values.set(name, bytes.toString('utf8', from, o));
  }
  return values;
}
