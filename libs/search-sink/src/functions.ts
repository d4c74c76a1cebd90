import type { RecordReader } from '@pgstream/wal-event';
import {
  DocumentBuilder,
  DocumentIds,
  fieldNameOf,
  mappingOf,
  type ByteSink,
  type FieldMapping,
  type Layout,
  type PreviousDocument,
} from './document/index.ts';
import { pinnedNaming, schemaNaming, tableNaming, type IndexNaming } from './naming.ts';
import type { KnownColumn } from './table-index.ts';
import { documentVersion } from './version.ts';

/** What a user of the library may replace, each by itself. */
export interface SearchFunctions {
  readonly naming: IndexNaming;
  /** The `_id` of the new (`columns`) or old (`identity`) row; `undefined` where the record has no key. */
  readonly documentId: (reader: RecordReader, which: 'columns' | 'identity') => string | undefined;
  /** Must grow with every change of a row and be the same at every replay; 63 bits. */
  readonly version: (commitLsn: bigint, seq: number) => bigint;
  /** The `properties` for these columns. */
  readonly mapping: (columns: readonly KnownColumn[]) => Record<string, FieldMapping>;
  /** Appends the `_source` as one line of JSON without the line's end. `version` goes into `_pgstream.version` as it is. */
  readonly document: (
    reader: RecordReader,
    out: ByteSink,
    version: string,
    previous: PreviousDocument | undefined,
  ) => void;
}

export interface FunctionOptions {
  readonly layout: Layout;
  /** Template of the alias in layout `table`. */
  readonly indexTemplate?: string;
  /** One index for everything. */
  readonly pinnedIndex?: string;
  /** Exactly one table is selected: ids in a pinned index need no prefix. */
  readonly singleTable?: boolean;
  /** Layout `pgstream`: ids are `<table id>_<sha256 of the key>`. */
  readonly hashDocIds?: boolean;
  readonly replace?: Partial<SearchFunctions>;
}

export interface BoundFunctions extends SearchFunctions {
  /** Knows the types of columns from schema records, and what the last document lacked. */
  readonly builder: DocumentBuilder;
  readonly layoutIsTable: boolean;
  readonly fieldOf: (column: { readonly id: string; readonly name: string }) => string;
}

export function bindFunctions(options: FunctionOptions): BoundFunctions {
  const { layout, replace = {} } = options;
  const naming = replace.naming ?? namingOf(options);
  const builder = new DocumentBuilder({ layout });
  const ids = new DocumentIds({
    layout,
    hashDocIds: options.hashDocIds === true,
    tablePrefix: layout === 'table' && naming.shared && options.singleTable !== true,
  });
  return {
    naming,
    builder,
    layoutIsTable: layout === 'table',
    documentId: (reader, which) => ids.documentId(reader, which),
    version: documentVersion,
    mapping: (columns) => mappingOf(columns, layout),
    document: (reader, out, version, previous) => builder.build(out, reader, version, previous),
    fieldOf: (column) => (layout === 'table' ? fieldNameOf(column.name) : column.id),
    ...replace,
  };
}

function namingOf(options: FunctionOptions): IndexNaming {
  if (options.layout === 'pgstream') return schemaNaming();
  if (options.pinnedIndex !== undefined) return pinnedNaming(options.pinnedIndex);
  return tableNaming(options.indexTemplate);
}
