import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SearchDeadLetterStore } from '@pgstream/search-sink';
import { SearchStore } from '@pgstream/search-store';
import { workspaceRoot } from '@pgstream/test-kit';
import { parseLsn } from '@pgstream/wal-event';
import { sharedServers, System } from '../system.ts';
import { captureState } from './capture.ts';
import { writeFixture } from './fixture.ts';

/** Writes the state of this version to `fixtures/state-<version>`: run once per release, before it, and commit. */
const SCRIPT = (schema: string) => [
  `CREATE SCHEMA ${schema}`,
  `CREATE TABLE ${schema}.items (id bigint PRIMARY KEY, name text, price numeric(10,2), tags text[], doc jsonb, at timestamptz)`,
  `INSERT INTO ${schema}.items VALUES (1, 'eins', 1.50, '{a,b}', '{"n": 12345678901234567890}', '2026-01-02 03:04:05.678901+00'),
     (2, 'zwei', 'NaN', NULL, NULL, 'infinity'), (3, 'drei', 3, '{}', '[]', NULL)`,
  `UPDATE ${schema}.items SET name = 'ein', price = 1.75 WHERE id = 1`,
  `DELETE FROM ${schema}.items WHERE id = 3`,
  `UPDATE ${schema}.items SET id = 20 WHERE id = 2`,
  `ALTER TABLE ${schema}.items ADD COLUMN stock integer DEFAULT 7`,
  `INSERT INTO ${schema}.items (id, name) VALUES (4, 'vier')`,
  `CREATE TABLE ${schema}.retyped (a integer, b text, note integer, PRIMARY KEY (a, b))`,
  `INSERT INTO ${schema}.retyped VALUES (1, 'x/y', 5)`,
  `ALTER TABLE ${schema}.retyped ALTER COLUMN note TYPE text USING 'note ' || note`,
  `UPDATE ${schema}.retyped SET note = 'written again'`,
  `ALTER TABLE ${schema}.retyped RENAME TO renamed`,
  `CREATE TABLE ${schema}.emptied (id uuid PRIMARY KEY); INSERT INTO ${schema}.emptied VALUES (gen_random_uuid())`,
  `TRUNCATE ${schema}.emptied`,
  `CREATE TABLE ${schema}.gone (id integer PRIMARY KEY)`,
  `INSERT INTO ${schema}.gone VALUES (1)`,
  `DROP TABLE ${schema}.gone`,
  `CREATE TABLE ${schema}.keyless (line text)`,
  `INSERT INTO ${schema}.keyless VALUES ('no key')`,
  `SELECT pg_logical_emit_message(true, 'app', 'a message')`,
  `INSERT INTO ${schema}.items (id, name) SELECT 99, string_agg(md5(i::text), '') FROM generate_series(1, 1500) i`,
];

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own manifest
const { version } = JSON.parse(readFileSync(join(workspaceRoot(), 'package.json'), 'utf8')) as {
  version: string;
};
const system = await System.open(sharedServers(), 'state', {
  PGSTREAM_KAFKA_TOPIC_MAX_MESSAGE_BYTES: '20000',
});
try {
  const { sql, prefix, product, servers } = system;
  await product.start('wal-producer', 'producer');
  await product.start('search-indexer', 'indexer');
  for (const statement of SCRIPT(`${prefix}_s`)) await sql.query(statement);
  await sql.query(
    `INSERT INTO pgstream.gaps (slot, from_lsn, to_lsn, reason) SELECT slot, '0/1', '0/2', 'an example' FROM pgstream.replication_state`,
  );
  await system.untilIndexed();
  await product.stopAll();
  const store = new SearchStore({ urls: [servers.searchUrl] });
  const position = { commitLsn: parseLsn('0/ABCDEF8'), seq: 3, sub: 1 } as const;
  await new SearchDeadLetterStore(store, { systemPrefix: `${prefix}_own` }).park([
    {
      sink: 'search',
      code: 'SEARCH_DOCUMENT_REFUSED',
      reason: 'an example',
      schema: `${prefix}_s`,
      table: 'items',
      identity: '5',
      epoch: 1,
      position,
      record: Buffer.from('{"action":"I"}'),
    },
  ]);
  await store.close();
  writeFixture(version, prefix, await captureState(system));
} finally {
  await system.close();
}
