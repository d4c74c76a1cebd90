import { elementsOf, membersOf, type SearchStore } from '@pgstream/search-store';
import { MAX_VERSIONED_SEQ } from '../version.ts';
import type { ParkedState } from './parked-entry.ts';

/**
 * States that the index has already, or newer ones: a replay of what was refused, and has been released since, must not
 * be parked again. The store looks at the mapping before it looks at the version, so that it refuses these too.
 */
export async function supersededOf<S extends ParkedState>(
  store: SearchStore,
  states: readonly S[],
): Promise<Set<S>> {
  if (states.length === 0) return new Set();
  const { text } = await store.request('POST', '/_mget', {
    query: await store.newest(),
    body: { docs: states.map(({ index, id }) => ({ _index: index, _id: id, _source: false })) },
  });
  const docs = membersOf(text).find(({ name }) => name === 'docs');
  const found = docs === undefined ? [] : elementsOf(text, docs.start);
  return new Set(
    states.filter(({ version, position }, i) => {
      const present = versionAt(text, found[i]?.start);
      if (present === null || present < version) return false;
      // Beyond so many changes of one transaction versions are equal, and say nothing.
      return present > version || position.seq < MAX_VERSIONED_SEQ;
    }),
  );
}

/** As text: a version may have more digits than a double. */
function versionAt(text: string, start: number | undefined): bigint | null {
  if (start === undefined) return null;
  const version = membersOf(text, start).find(({ name }) => name === '_version');
  return version === undefined ? null : BigInt(text.slice(version.start, version.end));
}
