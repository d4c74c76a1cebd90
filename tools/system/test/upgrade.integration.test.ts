import { createKafka, deadLetterTopic } from '@pgstream/kafka-client';
import { decodeHeartbeat } from '@pgstream/kafka-sink';
import { checkBeforeStart, listGaps, loadState, SchemaHistory } from '@pgstream/postgres-source';
import { waitFor } from '@pgstream/test-kit';
import { decodeRecord, formatPosition, parseLsn } from '@pgstream/wal-event';
import { samplesOf } from '../../product/product.ts';
import { indicesOf } from '../state/capture.ts';
import { fixtureVersions, readFixture, type IndexFixture, type StateFixture } from '../state/fixture.ts';
import { restoreIndices, restoreOffsets, restoreTables, restoreTopic } from '../state/restore.ts';
import { sharedServers, System } from '../system.ts';

/** The note in the metadata of a document, behind what `$1` keeps. */
const SHAPE = /("_pgstream":\{[^{}]*),"shape":\d+/;

let system: System;
let fixture: StateFixture;

/** Of each version that ever wrote state: what it left is read by this one. */
describe.each(fixtureVersions())('state written by version %s', (version) => {
  beforeEach(async () => {
    system = await System.open(sharedServers(), 'upgrade');
    fixture = readFixture(version, system.prefix);
  }, 120_000);

  afterEach(async () => {
    await system.close();
  }, 120_000);

  test('the source takes up position, shapes, gaps and the schema log', async () => {
    const { sql } = system;
    await restoreTables(sql, fixture.tables);
    const [row] = fixture.tables['replication_state'] ?? [];
    const slot = String(row?.['slot']);
    const state = await loadState(sql, slot);
    const { system_id: systemId, timeline, consistent_point: consistentPoint, publications } = row ?? {};
    const confirmedLsn = row?.['confirmed_lsn'];
    expect(state).toMatchObject({
      systemId,
      timeline,
      epoch: 1,
      consistentPoint,
      publications,
      confirmedLsn,
    });
    expect(state).toMatchObject({ mode: 'all', facts: { publicationOids: expect.anything() } });
    expect(await listGaps(sql, slot)).toMatchObject([{ fromLsn: '0/1', toLsn: '0/2', reason: 'an example' }]);
    // Another server: judged by what is in the row, so it was read
    await expect(checkBeforeStart(sql, { slot })).rejects.toMatchObject({
      code: expect.stringMatching(/PG_OTHER_CLUSTER|PG_PUBLICATION_MISSING|PG_POSITION_AHEAD|PG_SLOT/),
    });
    const history = new SchemaHistory({ sql, slot, systemId: String(systemId), epoch: 1 });
    await history.load(parseLsn('FFFF/0'));
    const known = [...history.ledger.tables()].map(({ name }) => name);
    expect(known).toEqual(expect.arrayContaining(['items', 'renamed', 'emptied', 'keyless']));
    expect(known).not.toContain('gone');
  }, 120_000);

  test('the schema log tells every change again', async () => {
    const { sql } = system;
    await restoreTables(sql, fixture.tables);
    const [row] = fixture.tables['replication_state'] ?? [];
    const systemId = String(row?.['system_id']);
    const history = new SchemaHistory({ sql, slot: String(row?.['slot']), systemId, epoch: 1 });
    await history.load(parseLsn('0/1'));
    const at = { commitLsn: parseLsn('0/2'), seq: 0, sub: 1 } as const;
    const changes = (await schemaLogTexts()).map((text) => history.logRow(text, at));
    const kinds = changes.flatMap((change) => change?.changes.map(({ kind }) => kind) ?? []);
    expect(kinds).toEqual(
      expect.arrayContaining(['schema_created', 'table_created', 'table_altered', 'table_dropped']),
    );
  }, 120_000);

  test('every record and every heartbeat of the log is read', () => {
    const data = fixture.log.filter(({ headers }) => headers['pgstream-kind'] !== 'heartbeat');
    const records = data.map(({ value }) => decodeRecord(Buffer.from(value)));
    expect(new Set(records.map(({ action }) => action))).toEqual(new Set(['I', 'U', 'D', 'T', 'M']));
    for (const { position } of records) expect(formatPosition(position)).toMatch(/^[0-9A-F]+\/[0-9A-F]+:\d+/);
    const heartbeats = fixture.log.filter(({ headers }) => headers['pgstream-kind'] === 'heartbeat');
    expect(heartbeats.length).toBeGreaterThan(0);
    for (const { value } of heartbeats) {
      expect(decodeHeartbeat(Buffer.from(value))).toMatchObject({ routing: { keying: 'schema' } });
    }
  });

  test('the indexer goes on from offsets, table states and documents as they are', async () => {
    const { connection, topic, group: groupId, servers, prefix, product } = system;
    const tables = ({ name }: IndexFixture) => name.startsWith(`${prefix}_s.`);
    await restoreTopic(connection, topic, fixture.log);
    await restoreOffsets(connection, { topic, groupId }, fixture.offsets);
    await restoreIndices(servers.searchUrl, fixture.indices);
    // A record comes again behind the committed offset: its position, in the metadata, says that it was seen
    const seen = fixture.log.findLast(({ headers }) => headers['pgstream-kind'] === undefined);
    await restoreTopic(connection, topic, seen === undefined ? [] : [seen]);
    const indexer = await product.start('search-indexer', 'indexer');
    await waitFor('the duplicate to be skipped', async () => {
      const skipped = await samplesOf(indexer, 'pgstream_consumer_duplicates_total');
      return (
        [...skipped.values()].some((value) => value === 1) || system.logOf('indexer').includes('seen before')
      );
    });
    indexer.child.kill('SIGTERM');
    await indexer.exited;
    // Another group reads everything again: versions make that a no-op
    const other = product.withEnvironment({ PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: `${groupId}-2` });
    const again = await other.start('search-indexer', 'again');
    await waitFor('the whole log', () => lagIsZero(`${groupId}-2`), 60_000);
    again.child.kill('SIGTERM');
    await again.exited;
    const now = await indicesOf(servers.searchUrl, prefix);
    const before = fixture.indices.filter(tables).map(({ name, documents }) => ({ name, documents }));
    expect(asWrittenBefore(now.filter(tables), before)).toEqual(before);
    expect(system.logOf('again', 200)).not.toMatch(/index_missing|table_state_missing|index_created/);
  }, 180_000);

  test('dead letters of topic and index are listed', async () => {
    const { connection, topic, servers, product } = system;
    await restoreTopic(connection, deadLetterTopic(topic), fixture.deadLetters);
    await restoreIndices(servers.searchUrl, fixture.indices);
    const ofIndex = { code: 'SEARCH_DOCUMENT_REFUSED', position: '0/ABCDEF8:3', identity: '5' };
    const ofTopic = { code: 'KAFKA_RECORD_TOO_LARGE', table: 'items' };
    const inBoth: unknown = JSON.parse(product.command('dead-letters', 'ls', '--json'));
    expect(inBoth).toMatchObject({ letters: [ofIndex, ofTopic] });
    const direct = product.withEnvironment({ PGSTREAM_KAFKA_SERVERS: '' });
    const inIndex: unknown = JSON.parse(direct.command('dead-letters', 'ls', '--json'));
    expect(inIndex).toMatchObject({ letters: [ofIndex] });
  }, 120_000);
});

/**
 * `now` without the notes of the changes that a document has been through (`_pgstream.shape`) where `before`,
 * written by a version that kept none, has none either: a replay of the log adds them.
 */
function asWrittenBefore(
  now: readonly IndexFixture[],
  before: readonly Pick<IndexFixture, 'name' | 'documents'>[],
): Pick<IndexFixture, 'name' | 'documents'>[] {
  const unnoted = before.flatMap(({ name, documents }) =>
    documents.filter(({ source }) => !SHAPE.test(source)).map(({ id }) => `${name} ${id}`),
  );
  return now.map(({ name, documents }) => ({
    name,
    documents: documents.map((document) =>
      unnoted.includes(`${name} ${document.id}`)
        ? { ...document, source: document.source.replace(SHAPE, '$1') }
        : document,
    ),
  }));
}

/** Rows of the schema log as the stream carries them: each column as text. */
async function schemaLogTexts(): Promise<Map<string, string | null>[]> {
  const { rows } = await system.sql.query(
    `SELECT (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(to_jsonb(l))) AS texts
       FROM pgstream.schema_log l ORDER BY version`,
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object of texts by the query
  return rows.map(({ texts }) => new Map(Object.entries(texts as Record<string, string | null>)));
}

async function lagIsZero(groupId: string): Promise<boolean> {
  const admin = createKafka(system.connection, () => undefined).admin();
  await admin.connect();
  try {
    const [committed] = await admin.fetchOffsets({ groupId, topics: [system.topic] });
    const ends = await admin.fetchTopicOffsets(system.topic);
    return ends.every(({ partition, high }) => {
      const at = committed?.partitions.find((one) => one.partition === partition)?.offset ?? '-1';
      return Number(at) >= Number(high) || high === '0';
    });
  } finally {
    await admin.disconnect();
  }
}
