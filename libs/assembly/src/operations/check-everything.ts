import { PipelineError } from '@pgstream/failure';
import { createKafka } from '@pgstream/kafka-client';
import { preflight } from '@pgstream/postgres-source';
import { slotNameOf } from '../config/postgres-urls.ts';
import { searchUrlOf } from '../config/route.ts';
import type { PgstreamConfig } from '../config/settings.ts';
import { withDatabase } from '../database.ts';
import { kafkaConnection } from '../wiring/kafka-connection.ts';

export interface CheckItem {
  readonly part: 'postgres' | 'kafka' | 'search';
  readonly name: string;
  readonly ok: boolean;
  readonly severity: 'error' | 'warning' | 'info';
  readonly detail: string;
  /** What puts it right; `null` where there is nothing to do. */
  readonly remedy: string | null;
}

/** Everything that is configured, looked at once. Changes nothing; a part that cannot be reached is a finding. */
export async function checkEverything(config: PgstreamConfig): Promise<CheckItem[]> {
  const items: CheckItem[] = [];
  if (config.postgres.url !== null) items.push(...(await attempt('postgres', () => checkPostgres(config))));
  const { readerServers, writerServers } = config.kafka;
  if (readerServers !== null || writerServers !== null)
    items.push(...(await attempt('kafka', () => checkKafka(config))));
  if (searchUrlOf(config) !== null) items.push(...(await attempt('search', () => checkSearch(config))));
  return items;
}

async function attempt(
  part: CheckItem['part'],
  check: () => Promise<readonly CheckItem[]>,
): Promise<readonly CheckItem[]> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    const cause = error.cause instanceof Error ? ` ${error.cause.message}` : '';
    return [
      {
        part,
        name: 'connection',
        ok: false,
        severity: 'error',
        detail: `${error.message}${cause}`,
        remedy: error.action,
      },
    ];
  }
}

async function checkPostgres(config: PgstreamConfig): Promise<readonly CheckItem[]> {
  return await withDatabase(config, 'check', async ({ pool }) => {
    const checks = await preflight(pool, { slot: slotNameOf(config) });
    return checks.map((one) => ({ part: 'postgres' as const, ...one }));
  });
}

async function checkKafka(config: PgstreamConfig): Promise<readonly CheckItem[]> {
  const { topic } = config.kafka;
  const end = config.kafka.writerServers === null ? 'reader' : 'writer';
  const admin = createKafka(kafkaConnection(config, end), () => {}).admin({ retry: { retries: 1 } });
  try {
    await admin.connect();
    const topics = await admin.listTopics();
    const found = topics.includes(topic.name);
    const items: CheckItem[] = [
      {
        part: 'kafka',
        name: 'connection',
        ok: true,
        severity: 'error',
        detail: 'A broker answers.',
        remedy: null,
      },
      {
        part: 'kafka',
        name: 'topic',
        ok: found || topic.autoCreate,
        severity: 'error',
        detail: found
          ? `Topic ${topic.name} exists.`
          : `Topic ${topic.name} does not exist${topic.autoCreate ? ' and will be created' : ''}.`,
        remedy: `Create it with 12 partitions, or set PGSTREAM_KAFKA_TOPIC_AUTO_CREATE=true.`,
      },
    ];
    if (found) items.push(await partitionsItem(admin, config));
    return items;
  } catch (cause) {
    throw cause instanceof PipelineError ? cause : new PipelineError('KAFKA_UNREACHABLE', { cause });
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

type Admin = ReturnType<ReturnType<typeof createKafka>['admin']>;

async function partitionsItem(admin: Admin, { kafka: { topic } }: PgstreamConfig): Promise<CheckItem> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic.name] });
  const count = topics[0]?.partitions.length ?? 0;
  const wanted = topic.partitions ?? 1;
  return {
    part: 'kafka',
    name: 'partitions',
    ok: count >= wanted,
    severity: 'error',
    detail: `Topic ${topic.name} has ${count} partitions${topic.partitions === null ? '' : `; ${wanted} are configured`}.`,
    remedy: 'Set PGSTREAM_KAFKA_TOPIC_PARTITIONS to what the topic has, or make a new topic.',
  };
}

async function checkSearch(config: PgstreamConfig): Promise<readonly CheckItem[]> {
  // loaded here, see joinRoute
  const { openSearchStore } = await import('../wiring/search-connection.ts');
  const store = openSearchStore(config);
  try {
    const { distribution, version } = await store.info();
    return [
      {
        part: 'search',
        name: 'connection',
        ok: true,
        severity: 'error',
        detail: `${distribution} ${version} answers.`,
        remedy: null,
      },
    ];
  } finally {
    await store.close();
  }
}
