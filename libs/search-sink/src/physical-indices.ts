import { PipelineError } from '@pgstream/failure';
import {
  changeAliases,
  createIndex,
  putMapping,
  readIndices,
  type IndexState,
  type Properties,
  type SearchStore,
} from '@pgstream/search-store';
import type { TableRef } from '@pgstream/wal-event';
import { claimAlias, epochOf, generationOf, isOurs, tableIdOf } from './aliases.ts';
import { PGSTREAM_MAPPING } from './document/index.ts';
import type { BoundFunctions } from './functions.ts';
import type { SearchObserver } from './observer.ts';
import type { SystemNames } from './system-indices.ts';
import { fieldTypeOf, type KnownColumn, type PhysicalIndex } from './table-index.ts';

export type TableNames = Pick<TableRef, 'schema' | 'table' | 'tableId'>;

export interface MadeIndex {
  readonly alias: string;
  readonly index: string;
  readonly generation: number;
  /** Made just now, with the columns' mapping. */
  readonly fresh: boolean;
}

export interface PhysicalIndicesOptions {
  readonly store: SearchStore;
  readonly functions: BoundFunctions;
  readonly observer: SearchObserver;
  readonly names: SystemNames;
  /** Sent when an index is created: number_of_shards, number_of_replicas, … */
  readonly indexSettings: Readonly<Record<string, unknown>>;
}

/**
 * OpenSearch lets a refresh wait until the small segments that it finds are merged. Documents are to be visible at once;
 * the merges of every other index, in the background, do for segments. Elasticsearch has no such setting.
 *
 * Measured at 100 commits/s, commit to `_search`, p99 of three pairs: 94, 73, 72 ms with, 57, 57, 66 ms without.
 */
const SHORT_REFRESH = { 'index.merge_on_flush.enabled': false };

/** Makes the indices of tables, adopts those that were made before, and maps their fields. */
export class PhysicalIndices {
  readonly #options: PhysicalIndicesOptions;
  /** Of the batch at hand. */
  epoch = 1;

  constructor(options: PhysicalIndicesOptions) {
    this.#options = options;
  }

  /** An index for the rows of a table that no state tells of. */
  async open(ref: TableRef, columns: readonly KnownColumn[], version: bigint): Promise<MadeIndex> {
    return this.#options.functions.naming.shared
      ? this.#openShared(ref, columns)
      : this.#makeOwn(ref, columns, version);
  }

  /** Fields that the columns need and the index lacks, and fields that it has with another type. */
  compare(
    index: PhysicalIndex,
    columns: readonly KnownColumn[],
  ): { missing: Record<string, unknown>; clashing: string[] } {
    const wanted: Properties = this.#options.functions.mapping(columns);
    const missing: Record<string, unknown> = {};
    const clashing: string[] = [];
    for (const [field, mapping] of Object.entries(wanted)) {
      const { [field]: present } = index.properties;
      if (present === undefined) missing[field] = mapping;
      else if (fieldTypeOf(present) !== fieldTypeOf(mapping)) clashing.push(field);
    }
    return { missing, clashing };
  }

  async putFields(index: PhysicalIndex, missing: Record<string, unknown>): Promise<void> {
    if (Object.keys(missing).length === 0) return;
    await putMapping(this.#options.store, index.writeAlias, { properties: missing });
    index.properties = { ...index.properties, ...missing };
  }

  /** Creates the physical index of a generation, empty, with the mapping of `columns`, behind `aliases`. */
  async create(
    ref: TableNames,
    generation: number,
    columns: readonly KnownColumn[],
    aliases: readonly string[],
  ): Promise<boolean> {
    const { store, functions, indexSettings, observer } = this.#options;
    const name = functions.naming.physical(ref, generation);
    const refreshing = (await store.isOpenSearch()) ? SHORT_REFRESH : {};
    const created = await createIndex(store, name, {
      settings: settingsOf({ ...refreshing, ...indexSettings }),
      mappings: {
        dynamic: false,
        _meta: {
          pgstream: { table_id: functions.naming.shared ? '' : ref.tableId, generation, epoch: this.epoch },
        },
        properties: {
          ...functions.mapping(columns),
          _pgstream: PGSTREAM_MAPPING,
          _table: { type: 'keyword' },
        },
      },
      aliases,
    });
    if (created) observer.notice('index_created', { index: name });
    return created;
  }

  writeAliasOf(ref: TableNames): string {
    const { functions, names } = this.#options;
    return functions.naming.shared
      ? functions.naming.alias(ref)
      : `${names.history}-${ref.tableId.toLowerCase()}`;
  }

  async claimAlias(ref: TableNames, physical: string, version: bigint): Promise<string> {
    const { store, functions, names } = this.#options;
    return claimAlias({ store, names, naming: functions.naming }, ref, {
      physical,
      epoch: this.epoch,
      version,
    });
  }

  async read(name: string): Promise<IndexState | null> {
    const [state] = await readIndices(this.#options.store, name);
    return state ?? null;
  }

  async #makeOwn(ref: TableRef, columns: readonly KnownColumn[], version: bigint): Promise<MadeIndex> {
    const { naming } = this.#options.functions;
    const index = naming.physical(ref, 1);
    const aliases = [this.writeAliasOf(ref)];
    const fresh = await this.create(ref, 1, columns, aliases);
    if (!fresh) await this.#adopt(index, ref, aliases);
    const alias = await this.claimAlias(ref, index, version);
    return { alias, index, generation: 1, fresh };
  }

  async #openShared(ref: TableRef, columns: readonly KnownColumn[]): Promise<MadeIndex> {
    const { naming } = this.#options.functions;
    const alias = naming.alias(ref);
    const present = await this.#sharedIndex(alias);
    if (present !== null) return { alias, index: present.name, generation: present.generation, fresh: false };
    const index = naming.physical(ref, 1);
    const fresh = await this.create(ref, 1, columns, [alias]);
    if (!fresh) await this.#adopt(index, ref, [alias]);
    return { alias, index, generation: 1, fresh };
  }

  /** An index that other tables made already; its generation is in its mapping. */
  async #sharedIndex(alias: string): Promise<{ name: string; generation: number } | null> {
    const [holder] = await readIndices(this.#options.store, alias);
    if (holder === undefined) return null;
    if (holder.name === alias || !isOurs(holder)) {
      throw new PipelineError('SEARCH_INDEX_FOREIGN', { detail: `${alias} is ${holder.name}.` });
    }
    // Its rows would have higher versions than those that come now, which would be taken for old ones.
    if (epochOf(holder) < this.epoch) {
      throw new PipelineError('SEARCH_INDEX_OF_EARLIER_EPOCH', {
        detail: `${holder.name} is of epoch ${epochOf(holder)}, the records are of epoch ${this.epoch}.`,
        facts: { index: holder.name },
      });
    }
    return { name: holder.name, generation: generationOf(holder) };
  }

  /** The index exists and no state names it: ours from a start that was cut short, or somebody else's. */
  async #adopt(physical: string, ref: TableRef, aliases: readonly string[]): Promise<void> {
    const found = await this.read(physical);
    if (
      found === null ||
      !isOurs(found) ||
      (!this.#options.functions.naming.shared && tableIdOf(found) !== ref.tableId)
    ) {
      throw new PipelineError('SEARCH_INDEX_FOREIGN', { detail: `It is ${physical}.` });
    }
    // Somebody may have made it with other settings: deletes must be remembered as long as late writers live.
    const { 'index.gc_deletes': gcDeletes } = settingsOf(this.#options.indexSettings);
    await this.#options.store.request('PUT', `/${encodeURIComponent(physical)}/_settings`, {
      body: { 'index.gc_deletes': gcDeletes },
    });
    await changeAliases(
      this.#options.store,
      aliases.map((alias) => ({ add: { index: physical, alias } })),
    );
  }
}

/** Ours under the user's, with full names: the server takes both forms, and must not be given one setting twice. */
function settingsOf(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const settings: Record<string, unknown> = {
    // How long deletes are remembered, so that a late writer cannot bring a row back.
    'index.gc_deletes': '1h',
    'index.mapping.total_fields.limit': 5000,
  };
  for (const [name, value] of Object.entries(given)) {
    settings[name.startsWith('index.') ? name : `index.${name}`] = value;
  }
  return settings;
}
