import type { SearchStore } from '@pgstream/search-store';
import type { DeadLetterStore } from '@pgstream/wal-event';
import type { Layout } from './document/index.ts';
import type { SearchFunctions } from './functions.ts';
import type { SearchObserver } from './observer.ts';
import type { Backoff } from './steady.ts';

export interface SearchSinkOptions {
  readonly store: SearchStore;
  /** Where records go that belong to no key: undecodable ones. Documents that the store refuses wait in the store. */
  readonly deadLetters: DeadLetterStore;
  /** Default `table`: one index per table, column names as fields. */
  readonly layout?: Layout;
  /** Layout `table`: the alias of a table. Default `{schema}.{table}`; `{id}` is the table id. */
  readonly indexTemplate?: string;
  /** One index for all tables, behind this alias. */
  readonly pinnedIndex?: string;
  /** Exactly one table is selected: ids in a pinned index have no `schema.table:` in front. */
  readonly singleTable?: boolean;
  /** Layout `pgstream`: hash every key. */
  readonly hashDocIds?: boolean;
  /** Default true. Without: no mapping is changed and nothing is dropped; new columns stay in `_source` only. */
  readonly handleDdl?: boolean;
  /** Of the indices it creates: `{"number_of_shards": 1, "number_of_replicas": 1}`. */
  readonly indexSettings?: Readonly<Record<string, unknown>>;
  /** Prefix of our own indices and of the aliases that bulks address. Default `pgstream`. */
  readonly systemPrefix?: string;
  /** Bulks in flight. Default 3. */
  readonly lanes?: number;
  /** Upper bounds of a bulk. Defaults 5 MiB and 5,000 documents. */
  readonly maxBulkBytes?: number;
  readonly maxBulkDocuments?: number;
  /** Shorter than the session of the consumer that feeds the sink. Default 20,000. */
  readonly bulkTimeoutMs?: number;
  /** Records that may be accepted and not durable. Default 32 MiB. */
  readonly maxUnsettledBytes?: number;
  /** Default 100 ms to 5 s, full jitter. */
  readonly backoff?: Backoff;
  /** Shortest time between two refreshes of an index while caught up; 0 never refreshes. Default 20. */
  readonly refreshIntervalMs?: number;
  /**
   * Asked before each bulk: whether the source still owns what it handed over. A process that was paused for longer than
   * the index remembers deletes would otherwise bring rows back before it learns that its lanes are gone.
   */
  readonly mayWrite?: () => Promise<boolean>;
  /** Parked keys are tried again by another version than the one that parked them. Default `''`. */
  readonly productVersion?: string;
  readonly observer?: Partial<SearchObserver>;
  /** Functions of the library's user in place of ours. */
  readonly functions?: Partial<SearchFunctions>;
}

type Defaulted =
  | 'layout'
  | 'singleTable'
  | 'hashDocIds'
  | 'handleDdl'
  | 'indexSettings'
  | 'systemPrefix'
  | 'lanes'
  | 'maxBulkBytes'
  | 'maxBulkDocuments'
  | 'bulkTimeoutMs'
  | 'maxUnsettledBytes'
  | 'backoff'
  | 'refreshIntervalMs'
  | 'mayWrite'
  | 'productVersion';

export type FullOptions = SearchSinkOptions & Required<Pick<SearchSinkOptions, Defaulted>>;

const MIB = 1024 * 1024;

const DEFAULTS: Required<Pick<SearchSinkOptions, Defaulted>> = {
  layout: 'table',
  singleTable: false,
  hashDocIds: false,
  handleDdl: true,
  indexSettings: {},
  systemPrefix: 'pgstream',
  lanes: 3,
  maxBulkBytes: 5 * MIB,
  maxBulkDocuments: 5000,
  bulkTimeoutMs: 20_000,
  maxUnsettledBytes: 32 * MIB,
  backoff: { initialMs: 100, maxMs: 5000 },
  refreshIntervalMs: 20,
  mayWrite: () => Promise.resolve(true),
  productVersion: '',
};

export function withDefaults(options: SearchSinkOptions): FullOptions {
  return { ...DEFAULTS, ...options };
}
