import type { TableRef } from '@pgstream/wal-event';
import type { Filter, LegacyScope, Operation, Subscription } from '../subscription.ts';
import { operationOf, schemaOf, type Named } from '../wire/bodies.ts';
import { changes, fulfils, type Rows } from './conditions.ts';
import { globPattern } from './glob.ts';

const ROWS: readonly Operation[] = ['insert', 'update', 'delete', 'truncate'];
const LETTERS: Readonly<Record<Operation, string>> = {
  insert: 'I',
  update: 'U',
  delete: 'D',
  truncate: 'T',
  ddl: 'M',
  message: 'M',
};

/** What filters ask of an event. Rows are asked for only where a filter looks into them: they may be dear. */
export interface Matchable extends Named, Rows {
  readonly table: string;
}

/** Whether a subscription wants an event. Tables are decided once; rows only where a filter looks into them. */
export interface Matcher {
  /** False when no event of this table can match. Not asked of messages, schema changes among them. */
  mayMatch(table: TableRef): boolean;
  matches(record: Matchable): boolean;
}

export function compile({ legacy, filters }: Pick<Subscription, 'legacy' | 'filters'>): Matcher {
  if (legacy !== null) return legacyMatcher(legacy);
  const compiled = (filters.length === 0 ? [{}] : filters).map(compileFilter);
  const known = new WeakMap<TableRef, boolean>();
  return {
    mayMatch: (table) => {
      const found = known.get(table) ?? compiled.some((filter) => filter.hasTable(table.schema, table.table));
      known.set(table, found);
      return found;
    },
    matches: (record) => compiled.some((filter) => filter.matches(record)),
  };
}

interface CompiledFilter {
  hasTable(schema: string, table: string): boolean;
  matches(record: Matchable): boolean;
}

function compileFilter(filter: Filter): CompiledFilter {
  const { changedColumns, where } = filter;
  const schemas = globPattern(filter.schema ?? '*');
  const tables = globPattern(filter.table ?? '*');
  const operations = new Set(filter.operations ?? ROWS);
  const hasTable = (schema: string, table: string) => schemas.test(schema) && tables.test(table);
  return {
    hasTable,
    matches: (record) => {
      const operation = operationOf(record);
      if (!operations.has(operation)) return false;
      if (operation === 'message') return true;
      if (operation === 'ddl') return schemas.test(schemaOf(record));
      if (!hasTable(record.schema, record.table)) return false;
      if (operation === 'update' && changedColumns !== undefined && !changes(record, changedColumns)) {
        return false;
      }
      return where === undefined || operation === 'truncate' || fulfils(record, where);
    },
  };
}

/** As the original does it: schema and table do not hold messages back, so that schema changes of any schema come. */
function legacyMatcher({ schema, table, eventTypes }: LegacyScope): Matcher {
  const letters = new Set(eventTypes);
  const mayMatch = (ref: Pick<TableRef, 'schema' | 'table'>) =>
    (schema === '' || schema === ref.schema) && (table === '' || table === ref.table);
  return {
    mayMatch,
    matches: (record) => {
      const letter = LETTERS[operationOf(record)];
      if (letters.size > 0 && !letters.has(letter)) return false;
      return letter === 'M' || mayMatch(record);
    },
  };
}
