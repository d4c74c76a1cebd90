import { createKafka, deadLetterTopic, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import { Cluster, LogReader } from '@pgstream/kafka-client';
import type { Queries } from '@pgstream/postgres-client';
import { scanDocuments, SearchStore } from '@pgstream/search-store';
import type { System } from '../system.ts';
import type { CommittedOffset, IndexFixture, StateFixture, TopicRecord } from './fixture.ts';

/** Reads everything that the product has written for `system`. */
export async function captureState(system: System): Promise<StateFixture> {
  const { connection, topic, group, prefix } = system;
  return {
    tables: await ownTables(system.sql),
    log: await topicRecords(connection, topic),
    offsets: await committedOffsets(connection, topic, group),
    deadLetters: await topicRecords(connection, deadLetterTopic(topic)),
    indices: await indicesOf(system.servers.searchUrl, prefix),
  };
}

async function ownTables(sql: Queries): Promise<StateFixture['tables']> {
  const { rows } = await sql.query(
    `SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'pgstream'::regnamespace AND relkind = 'r' ORDER BY 1`,
  );
  const tables: Record<string, Record<string, unknown>[]> = {};
  for (const row of rows) {
    const name = String(row['name']);
    const found = await sql.query(`SELECT to_jsonb(t) AS row FROM pgstream.${name} t ORDER BY 1`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object by the query
    tables[name] = found.rows.map(({ row: value }) => value as Record<string, unknown>);
  }
  return tables;
}

async function topicRecords(connection: KafkaConnectionOptions, topic: string): Promise<TopicRecord[]> {
  createKafka(connection, () => undefined); // makes the codecs known
  const cluster = new Cluster(connection, topic);
  const records: TopicRecord[] = [];
  try {
    await cluster.refresh();
    const reader = new LogReader(cluster, 30_000);
    for (let partition = 0; partition < cluster.partitionCount; partition++) {
      const end = await reader.endOffset(partition);
      for (let offset = await reader.startOffset(partition); offset < end;) {
        const batch = await reader.batchAt(partition, offset);
        for (const { timestampMs, key, value, headers } of batch.records) {
          records.push({
            partition,
            timestamp: String(timestampMs),
            key: key?.toString() ?? null,
            value: value?.toString() ?? '',
            headers: Object.fromEntries(headers.map((one) => [one.key, one.value?.toString() ?? ''])),
          });
        }
        offset = batch.lastOffset + 1n;
      }
    }
  } finally {
    cluster.close();
  }
  return records;
}

async function committedOffsets(
  connection: KafkaConnectionOptions,
  topic: string,
  groupId: string,
): Promise<CommittedOffset[]> {
  const admin = createKafka(connection, () => undefined).admin();
  await admin.connect();
  try {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return (found?.partitions ?? [])
      .filter(({ offset }) => offset !== '-1')
      .map(({ partition, offset, metadata }) => ({ partition, offset, metadata: metadata ?? '' }))
      .toSorted((a, b) => a.partition - b.partition);
  } finally {
    await admin.disconnect();
  }
}

/** Of those whose names begin so: aliases, mapping and documents. */
export async function indicesOf(searchUrl: string, prefix: string): Promise<IndexFixture[]> {
  const store = new SearchStore({ urls: [searchUrl] });
  try {
    await store.request('POST', `/${prefix}*/_refresh`);
    const found = await store.json<Record<string, { aliases: object; mappings: object }>>(
      'GET',
      `/${prefix}*`,
    );
    const indices: IndexFixture[] = [];
    for (const [name, { aliases, mappings }] of Object.entries(found)) {
      const documents: IndexFixture['documents'][number][] = [];
      const query = { match_all: {} };
      for await (const page of scanDocuments(store, { index: name, query, sources: true }))
        documents.push(...page);
      documents.sort((a, b) => (a.id < b.id ? -1 : 1));
      indices.push({ name, aliases, mappings, documents });
    }
    return indices;
  } finally {
    await store.close();
  }
}
