import { PipelineError } from '@pgstream/failure';
import { invalidAnswer, isObject, objectOf } from './answer.ts';
import type { SearchStore } from './store.ts';

export type Properties = Readonly<Record<string, unknown>>;

export interface IndexState {
  /** The physical index. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly properties: Properties;
  readonly meta: Readonly<Record<string, unknown>>;
  /** `null` where the server's default holds; `-1` where somebody switched refreshing off. */
  readonly refreshInterval: string | null;
}

export interface IndexDefinition {
  readonly settings: object;
  readonly mappings: object;
  readonly aliases: readonly string[];
}

export type AliasAction =
  | { readonly add: { readonly index: string; readonly alias: string } }
  | { readonly remove: { readonly index: string; readonly alias: string; readonly must_exist?: boolean } }
  | { readonly remove_index: { readonly index: string } };

interface Signalled {
  readonly signal?: AbortSignal;
}

/** The index an alias or a name stands for; several for an alias over several; empty where there is none. */
export async function readIndices(
  store: SearchStore,
  name: string,
  options: Signalled = {},
): Promise<IndexState[]> {
  const { status, text } = await store.request('GET', `/${encodeURIComponent(name)}`, {
    ...options,
    answers: [404],
  });
  if (status === 404) return [];
  const answer = objectOf(text, `GET ${name}`);
  if (!Object.values(answer).every((index) => isObject(index) && isObject(index['mappings'])))
    throw invalidAnswer(`GET ${name}`, text);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the documented answer of GET /{index}
  return Object.entries(answer as Record<string, RawIndex>).map(
    ([index, { aliases, mappings, settings }]) => ({
      name: index,
      aliases: Object.keys(aliases ?? {}),
      properties: mappings?.properties ?? {},
      meta: mappings?._meta ?? {},
      refreshInterval: settings?.index?.refresh_interval ?? null,
    }),
  );
}

interface RawIndex {
  readonly aliases?: Record<string, unknown>;
  readonly mappings?: { readonly properties?: Properties; readonly _meta?: Record<string, unknown> };
  readonly settings?: { readonly index?: { readonly refresh_interval?: string } };
}

/** Creates an index with its aliases in one step. `false` where the name is taken. */
export async function createIndex(
  store: SearchStore,
  name: string,
  definition: IndexDefinition,
  options: Signalled = {},
): Promise<boolean> {
  const { status, text } = await store.request('PUT', `/${encodeURIComponent(name)}`, {
    ...options,
    body: { ...definition, aliases: Object.fromEntries(definition.aliases.map((alias) => [alias, {}])) },
    answers: [400],
  });
  if (status !== 400) return true;
  if (text.includes('resource_already_exists_exception')) return false;
  if (text.includes('invalid_alias_name_exception')) {
    throw new PipelineError('SEARCH_INDEX_FOREIGN', {
      detail: `an index has the name of the alias that ${name} needs: ${definition.aliases.join(', ')}`,
    });
  }
  throw new PipelineError('SEARCH_REQUEST_REFUSED', { detail: `PUT ${name}: ${text.slice(0, 500)}` });
}

/** @throws {PipelineError} SEARCH_MAPPING_CLASH where a field exists with another type. */
export async function putMapping(
  store: SearchStore,
  index: string,
  mapping: object,
  options: Signalled = {},
): Promise<void> {
  const { status, text } = await store.request('PUT', `/${encodeURIComponent(index)}/_mapping`, {
    ...options,
    body: mapping,
    answers: [400],
  });
  if (status === 400) {
    throw new PipelineError('SEARCH_MAPPING_CLASH', { detail: `mapping of ${index}: ${text.slice(0, 500)}` });
  }
}

export async function deleteIndex(store: SearchStore, name: string, options: Signalled = {}): Promise<void> {
  await store.request('DELETE', `/${encodeURIComponent(name)}`, { ...options, answers: [404] });
}

/** All actions at once, or none: searches never see a state between. */
export async function changeAliases(
  store: SearchStore,
  actions: readonly AliasAction[],
  options: Signalled = {},
): Promise<void> {
  if (actions.length === 0) return;
  await store.request('POST', '/_aliases', { ...options, body: { actions } });
}

export async function refreshIndices(
  store: SearchStore,
  names: readonly string[],
  options: Signalled = {},
): Promise<void> {
  await store.request('POST', `/${names.map((name) => encodeURIComponent(name)).join(',')}/_refresh`, {
    ...options,
    query: { ignore_unavailable: true },
    answers: [404],
  });
}
