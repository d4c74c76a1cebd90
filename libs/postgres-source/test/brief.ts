import type { ChangeRecord, RecordColumn } from '@pgstream/wal-event';
import type { Seen } from './reader.ts';

/** One line per record: `U t id=2,v=x <- id=1 ~big`; identity after `<-`, unchanged TOAST after `~`. */
export function brief(seen: readonly Seen[]): string[] {
  return seen.map(({ record }) => line(record));
}

function line(record: ChangeRecord): string {
  if (record.message !== undefined) return `M ${record.message.prefix} ${record.message.content}`;
  const parts = [`${record.action} ${record.table}`];
  if (record.columns !== null) parts.push(list(record.columns));
  if (record.identity !== null) parts.push(`<- ${list(record.identity)}`);
  if (record.unchanged.length > 0) parts.push(`~${record.unchanged.join(',')}`);
  return parts.join(' ');
}

function list(columns: readonly RecordColumn[]): string {
  return columns.map(({ name, value }) => `${name}=${short(value)}`).join(',');
}

function short(value: RecordColumn['value']): string {
  if (typeof value === 'object' && value !== null) return value.raw;
  const text = String(value);
  return text.length > 30 ? `${text.length} chars` : text;
}
