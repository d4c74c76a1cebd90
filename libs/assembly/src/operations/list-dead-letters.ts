import { PipelineError } from '@pgstream/failure';
import { listDeadLetters as listInTopic } from '@pgstream/kafka-client';
import { formatPosition } from '@pgstream/wal-event';
import { searchUrlOf } from '../config/route.ts';
import type { PgstreamConfig } from '../config/settings.ts';
import { kafkaConnection } from '../wiring/kafka-connection.ts';
import { openSearchStore } from '../wiring/search-connection.ts';

export interface ListedDeadLetter {
  readonly at: string;
  readonly position: string;
  readonly schema: string;
  readonly table: string;
  readonly identity: string | null;
  readonly sink: string;
  readonly code: string;
  readonly reason: string;
}

/** Newest first, at most `limit`: of the topic where Kafka is configured, otherwise of the index. */
export async function listDeadLetters(config: PgstreamConfig, limit: number): Promise<ListedDeadLetter[]> {
  const { readerServers, writerServers, topic } = config.kafka;
  if (readerServers !== null || writerServers !== null) {
    const connection = kafkaConnection(config, readerServers === null ? 'writer' : 'reader');
    return await fromTopic(connection, topic.name, limit);
  }
  if (searchUrlOf(config) !== null) return await fromIndex(config, limit);
  throw new PipelineError('CONFIG_INVALID', {
    detail:
      'Set PGSTREAM_KAFKA_SERVERS or PGSTREAM_OPENSEARCH_STORE_URL: dead letters lie in the topic, or in the index.',
  });
}

async function fromTopic(
  connection: ReturnType<typeof kafkaConnection>,
  topic: string,
  limit: number,
): Promise<ListedDeadLetter[]> {
  const found: ListedDeadLetter[] = [];
  try {
    for await (const { position, record: _record, epoch: _epoch, ...letter } of listInTopic(
      connection,
      topic,
    )) {
      found.push({ ...letter, position: formatPosition(position) });
      if (found.length >= limit) break;
    }
  } catch (error) {
    // The topic is made with the first letter.
    if (!(error instanceof PipelineError && error.code === 'KAFKA_TOPIC_MISSING')) throw error;
  }
  return found;
}

interface Hits {
  readonly hits?: {
    readonly hits: readonly { readonly _source: ListedDeadLetter & { readonly parked_at: string } }[];
  };
}

async function fromIndex(config: PgstreamConfig, limit: number): Promise<ListedDeadLetter[]> {
  const store = openSearchStore(config);
  try {
    const answer = await store.json<Hits>('POST', `/${config.search.systemIndex}-parked/_search`, {
      body: { size: limit, sort: [{ parked_at: 'desc' }] },
      answers: [404],
    });
    return (answer.hits?.hits ?? []).map(({ _source: letter }) => ({
      at: letter.parked_at,
      position: letter.position,
      schema: letter.schema,
      table: letter.table,
      identity: letter.identity,
      sink: letter.sink,
      code: letter.code,
      reason: letter.reason,
    }));
  } finally {
    await store.close();
  }
}
