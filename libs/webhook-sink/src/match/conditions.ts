import type { ChangeRecord, RecordColumn, RecordValue } from '@pgstream/wal-event';
import type { Condition, ConditionValue } from '../subscription.ts';

export type Rows = Pick<ChangeRecord, 'columns' | 'identity' | 'unchanged'>;

/** Whether every condition holds. A column that the event does not carry fulfils none but `is_null`. */
export function fulfils(record: Rows, conditions: readonly Condition[]): boolean {
  const row = record.columns ?? record.identity ?? [];
  return conditions.every((condition) => {
    const value = valueIn(row, condition.column);
    return holds(value === undefined ? kept(record, condition) : value, condition);
  });
}

/**
 * Whether an UPDATE gave one of `names` another value. Columns that the log lists as unchanged are; without the old row
 * (replica identity FULL) every column that was sent counts as changed, since nothing says that it is not.
 */
export function changes(record: Rows, names: readonly string[]): boolean {
  const { columns, identity, unchanged } = record;
  if (columns === null) return true;
  return names.some((name) => {
    const next = valueIn(columns, name);
    if (next === undefined || unchanged.includes(name)) return false;
    const before = valueIn(identity ?? [], name);
    return before === undefined || textOf(before) !== textOf(next);
  });
}

/** A TOASTed column that did not change stands in the old row only, if anywhere. */
function kept({ identity }: Rows, { column }: Condition): RecordValue {
  return valueIn(identity ?? [], column) ?? null;
}

function valueIn(row: readonly RecordColumn[], name: string): RecordValue | undefined {
  return row.find((column) => column.name === name)?.value;
}

function holds(value: RecordValue, { op, value: wanted }: Condition): boolean {
  if (op === 'is_null') return (value === null) === (wanted === true);
  if (value === null) return false;
  const list = Array.isArray(wanted) ? wanted : [wanted];
  if (op === 'in') return list.some((one) => compare(value, one) === 0);
  if (op === 'not_in') return list.every((one) => compare(value, one) !== 0);
  return ORDERS[op](compare(value, list[0]));
}

const ORDERS: Readonly<Record<'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte', (order: number) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
};

/** Numbers by value, everything else by its text; NaN where the two cannot be compared, which fulfils only `ne`. */
function compare(value: RecordValue, wanted: ConditionValue | undefined): number {
  if (wanted === undefined) return Number.NaN;
  if (typeof wanted === 'number') {
    const text = textOf(value);
    const isWhole = /^-?\d+$/.test(text) && Number.isInteger(wanted);
    if (isWhole) return Math.sign(Number(BigInt(text) - BigInt(wanted)));
    return Number(text) - wanted;
  }
  const [a, b] = [textOf(value), String(wanted)];
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function textOf(value: RecordValue): string {
  return typeof value === 'object' && value !== null ? value.raw : String(value);
}
