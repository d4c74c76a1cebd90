import type { Writable } from 'node:stream';
import { PipelineError } from '@pgstream/failure';
import { observedDeadLetters } from '@pgstream/pipeline';
import { SearchDeadLetterStore } from '@pgstream/search-sink';
import type { Route } from '../config/route.ts';
import type { Joined } from '../run-route.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { FileSink, StreamSink } from '../sinks/ndjson-sink.ts';
import { kafkaSource } from './kafka-source.ts';
import { kafkaDeadLetters, kafkaTarget } from './kafka-target.ts';
import { publishedLog } from './log-end.ts';
import { parked } from './parked.ts';
import { openPostgresEnd, type PostgresEnd } from './postgres-end.ts';
import { openSearchStore } from './search-connection.ts';
import { searchTarget } from './search-target.ts';

/** Opens both ends of the route. */
export async function joinRoute(context: RunContext, route: Route, stdout: Writable): Promise<Joined> {
  return route.source === 'kafka'
    ? await fromKafka(context, route, stdout)
    : await fromPostgres(context, route, stdout);
}

async function fromPostgres(context: RunContext, route: Route, stdout: Writable): Promise<Joined> {
  const published = route.target === 'kafka' ? publishedLog(context) : undefined;
  const postgres = await openPostgresEnd(context, published);
  readyWhenConnected(context, postgres);
  switch (route.target) {
    case 'kafka':
      return postgresToKafka(context, postgres);
    case 'opensearch':
    case 'elasticsearch':
      return await postgresToSearch(context, postgres);
    case 'ndjson':
      return { source: postgres.source, sink: await openFile(context) };
    case 'stdout':
      return { source: postgres.source, sink: new StreamSink(stdout) };
    default:
      throw new PipelineError('CONFIG_INVALID', { detail: 'PGSTREAM_TARGET is none of the known targets.' });
  }
}

function postgresToKafka(context: RunContext, postgres: PostgresEnd): Joined {
  const sink = kafkaTarget(context, postgres);
  postgres.onRole = (role) => {
    // Opened as soon as the slot is ours, so that a wrong topic is found before the first row.
    if (role === 'leader') sink.open().catch((cause: unknown) => context.fail(cause));
  };
  return { source: postgres.source, sink };
}

async function postgresToSearch(context: RunContext, postgres: PostgresEnd): Promise<Joined> {
  const store = openSearchStore(context.config);
  context.defer('search store', () => store.close());
  const letters = new SearchDeadLetterStore(store, { systemPrefix: context.config.search.systemIndex });
  const observed = observedDeadLetters(letters, (letter) => parked(context, letter));
  return { source: postgres.source, sink: await searchTarget(context, store, observed) };
}

async function fromKafka(context: RunContext, route: Route, stdout: Writable): Promise<Joined> {
  const letters = kafkaDeadLetters(context, 'reader');
  context.defer('dead letters', () => letters.store.close());
  const source = kafkaSource(context, letters.observed);
  context.health.addReadiness('kafka', () =>
    source.counts.assignments > 0 ? null : 'has not joined the group yet',
  );
  if (route.target === 'stdout') return { source, sink: new StreamSink(stdout) };
  const store = openSearchStore(context.config);
  context.defer('search store', () => store.close());
  return { source, sink: await searchTarget(context, store, letters.observed, () => source.ownsLanes()) };
}

/** A standby is ready too: it does its work, which is to wait. */
function readyWhenConnected(context: RunContext, { source }: PostgresEnd): void {
  context.health.addReadiness('postgres', () => {
    const { role } = source.facts;
    return role === 'leader' || role === 'standby' ? null : `role is ${role}`;
  });
}

async function openFile({ config }: RunContext): Promise<FileSink> {
  const path = config.route.ndjsonFile ?? '';
  try {
    return await FileSink.open(path);
  } catch (cause) {
    throw new PipelineError('FILE_UNUSABLE', { cause, detail: `PGSTREAM_NDJSON_FILE is ${path}.` });
  }
}
