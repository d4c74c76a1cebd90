import { observedDeadLetters } from '@pgstream/pipeline';
import { SearchDeadLetterStore } from '@pgstream/search-sink';
import type { DeadLetterStore, Sink } from '@pgstream/wal-event';
import type { Joined } from '../run-route.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { parked } from './parked.ts';
import type { PostgresEnd } from './postgres-end.ts';
import { openSearchStore } from './search-connection.ts';
import { searchTarget } from './search-target.ts';

/** Search as the target of what comes out of Kafka. @param ownsLanes whether this worker's group still counts it in */
export async function openSearchTarget(
  context: RunContext,
  deadLetters: DeadLetterStore,
  ownsLanes: () => Promise<boolean>,
): Promise<Sink> {
  const store = openSearchStore(context.config);
  context.defer('search store', () => store.close());
  return await searchTarget(context, store, deadLetters, ownsLanes);
}

/** The slot straight into search: dead letters go to an index. */
export async function postgresToSearch(context: RunContext, postgres: PostgresEnd): Promise<Joined> {
  const store = openSearchStore(context.config);
  context.defer('search store', () => store.close());
  const letters = new SearchDeadLetterStore(store, { systemPrefix: context.config.search.systemIndex });
  const observed = observedDeadLetters(letters, (letter) => parked(context, letter));
  return { source: postgres.source, sink: await searchTarget(context, store, observed) };
}
