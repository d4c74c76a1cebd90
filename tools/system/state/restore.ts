import { createKafka, createTopic, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import type { Queries } from '@pgstream/postgres-client';
import { waitFor } from '@pgstream/test-kit';
import type { CommittedOffset, IndexFixture, StateFixture, TopicRecord } from './fixture.ts';

/** Puts the rows back in place of what `init` of this version has made. */
export async function restoreTables(sql: Queries, tables: StateFixture['tables']): Promise<void> {
  for (const [name, rows] of Object.entries(tables)) {
    // Which migrations ran is a fact of this database
    if (name.includes('migration')) continue;
    await sql.query(`DELETE FROM pgstream.${name}`);
    for (const row of rows) {
      const columns = Object.keys(row).map((column) => `"${column}"`);
      await sql.query(
        `INSERT INTO pgstream.${name} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
         SELECT ${columns.join(', ')} FROM jsonb_populate_record(NULL::pgstream.${name}, $1::jsonb)`,
        [JSON.stringify(row)],
      );
    }
  }
}

/** Writes the records to the partitions that they were in. */
export async function restoreTopic(
  connection: KafkaConnectionOptions,
  topic: string,
  records: readonly TopicRecord[],
): Promise<void> {
  const kafka = createKafka(connection, () => undefined);
  const admin = kafka.admin();
  await admin.connect();
  const numPartitions = Math.max(...records.map(({ partition }) => partition)) + 1;
  await createTopic(admin, { topic, numPartitions });
  await admin.disconnect();
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({
    topic,
    messages: records.map((record) => ({ ...record, headers: { ...record.headers } })),
  });
  await producer.disconnect();
}

/** As a member of the group, which is the only one who may. */
export async function restoreOffsets(
  connection: KafkaConnectionOptions,
  { topic, groupId }: { readonly topic: string; readonly groupId: string },
  offsets: readonly CommittedOffset[],
): Promise<void> {
  const consumer = createKafka(connection, () => undefined).consumer({ groupId });
  let joined = false;
  consumer.on(consumer.events.GROUP_JOIN, () => (joined = true));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ autoCommit: false, eachMessage: async () => {} });
  await waitFor('the group', () => joined);
  await consumer.commitOffsets(offsets.map((one) => ({ topic, ...one })));
  await consumer.disconnect();
}

/** Makes the indices with their documents, versions and aliases. */
export async function restoreIndices(searchUrl: string, indices: readonly IndexFixture[]): Promise<void> {
  for (const { name, aliases, mappings, documents } of indices) {
    const settings = { number_of_replicas: 0 };
    await put(`${searchUrl}/${encodeURIComponent(name)}`, JSON.stringify({ settings, aliases, mappings }));
    for (const { id, version, source } of documents) {
      const query = `version=${version}&version_type=external_gte&refresh=true`;
      await put(`${searchUrl}/${encodeURIComponent(name)}/_doc/${encodeURIComponent(id)}?${query}`, source);
    }
  }
}

async function put(url: string, body: string): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': 'application/json' }, body });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
}
