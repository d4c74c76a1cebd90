import type { Writable } from 'node:stream';
import { PipelineError } from '@pgstream/failure';
import type { Route } from '../config/route.ts';
import type { Joined } from '../run-route.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { FileSink, StreamSink } from '../sinks/ndjson-sink.ts';
import { kafkaSource } from './kafka-source.ts';
import { kafkaDeadLetters, kafkaTarget } from './kafka-target.ts';
import { publishedLog } from './log-end.ts';
import { openPostgresEnd, type PostgresEnd } from './postgres-end.ts';
import type * as SearchEnd from './search-end.ts';

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
      return await (await searchEnd()).postgresToSearch(context, postgres);
    case 'ndjson':
      return { source: postgres.source, sink: await openFile(context) };
    case 'webhooks':
      return await (await import('./direct-webhook-end.ts')).postgresToWebhooks(context, postgres);
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

async function fromKafka(context: RunContext, route: Route, stdout: Writable): Promise<Joined> {
  const letters = kafkaDeadLetters(context, 'reader');
  context.defer('dead letters', () => letters.store.close());
  if (route.target === 'webhooks') {
    return await (await import('./webhook-end.ts')).kafkaToWebhooks(context, letters.observed);
  }
  const source = kafkaSource(context, letters.observed);
  context.health.addReadiness('kafka', () =>
    source.counts.assignments > 0 ? null : 'has not joined the group yet',
  );
  if (route.target === 'stdout') return { source, sink: new StreamSink(stdout) };
  const { openSearchTarget } = await searchEnd();
  return { source, sink: await openSearchTarget(context, letters.observed, () => source.ownsLanes()) };
}

/** Loaded where it is needed: the search client takes 25 MB, and a process that writes Kafka never uses it. */
async function searchEnd(): Promise<typeof SearchEnd> {
  return await import('./search-end.ts');
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
