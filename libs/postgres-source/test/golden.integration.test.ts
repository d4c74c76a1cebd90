import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMigrations } from '@pgstream/postgres-client';
import {
  endpoints,
  named,
  Normaliser,
  parseTree,
  repaired,
  textOf,
  waitFor,
  type TreeObject,
} from '@pgstream/test-kit';
import { DDL_PREFIX, valueAt } from '@pgstream/wal-event';
import { PostgresSource, SchemaHistory } from '../src/index.ts';
import { splitScript } from './golden-script.ts';
import { SlotDatabase } from './slot-database.ts';

const FIXTURES = join(__dirname, 'fixtures');
const MIGRATIONS = join(__dirname, '../../../migrations');

interface Keyed {
  readonly key: string;
  readonly json: string;
}

/** Runs the script on a fresh database and returns the records, each with the schema that it belongs to. */
async function runScript(): Promise<Keyed[]> {
  const ddl = readMigrations(MIGRATIONS)
    .map((one) => one.sql)
    .join('\n');
  const settings = `INSERT INTO pgstream.settings VALUES ('mode', 'all'), ('keyless', 'full');`;
  const database = await SlotDatabase.create(endpoints().postgresUrls[15], ddl + settings);
  const client = await database.connect();
  const history = new SchemaHistory({ sql: client, slot: database.slot, systemId: '1', epoch: 1 });
  const { slot, publications } = database;
  const connection = { connectionString: database.url };
  const source = new PostgresSource({
    connection,
    slot,
    publications,
    epoch: 1,
    history,
    instance: 'golden',
  });
  const stop = new AbortController();
  const records: Keyed[] = [];
  const reading = (async () => {
    for await (const batch of source.batches(stop.signal)) {
      for (let i = 0; i < batch.count; i++) records.push(keyed(valueAt(batch, i).toString()));
      if (batch.checkpoint !== undefined) await source.confirm(batch.lane, batch.checkpoint);
      batch.release?.();
    }
  })();
  try {
    for (const statement of splitScript(readFileSync(join(FIXTURES, 'script.sql'), 'utf8')))
      await client.query(statement);
    await waitFor('the last row of the script', () => records.at(-1)?.json.includes('"value":"end"'));
  } finally {
    stop.abort();
    await reading;
    await source.close();
    await client.end();
    await database.drop();
  }
  return records;
}

function keyed(json: string): Keyed {
  const record = parseTree(json);
  if (record['prefix'] !== DDL_PREFIX) return { key: textOf(record['schema']), json };
  return { key: textOf(parseTree(textOf(record['content']))['schema_name']), json };
}

/** What the original does not tell at all, and we do; see the README of the recording. */
function ourOwn({ json }: Keyed): boolean {
  const record = parseTree(json);
  if (record['prefix'] === DDL_PREFIX) {
    const content = parseTree(textOf(record['content']));
    return /^(CREATE|DROP) SCHEMA$/.test(textOf(content['command_tag'])) || content['source'] === 'relation';
  }
  const row = `${textOf(record['action'])} ${textOf(record['table'])}`;
  return /^([IUD] nokey|I ctas|[UD] uq)$/.test(row);
}

/** Rows of a partition come under its own name there, under the root's here. */
function ofPartition({ json }: Keyed): boolean {
  return textOf(parseTree(json)['table']).startsWith('parted');
}

function contentOf({ json }: Keyed): string {
  return textOf(parseTree(json)['content']);
}

/** pgoutput has no generated columns before PostgreSQL 18; the plugin of the recording has. */
function withoutGenerated(record: TreeObject): TreeObject {
  const { columns } = record;
  if (!Array.isArray(columns)) return record;
  return { ...record, columns: columns.filter((column) => named(column)['name'] !== 'full_name') };
}

const KEYS = ['app', 'hr', 'sales'];

function normalised(records: readonly Keyed[]): TreeObject[] {
  const normaliser = new Normaliser();
  const ordered = KEYS.flatMap((key) => records.filter((record) => record.key === key));
  // Without a key they lie in any partition
  const keyless = records
    .filter(({ key }) => key === '')
    .toSorted((a, b) => (contentOf(a) < contentOf(b) ? -1 : 1));
  return [...ordered, ...keyless]
    .filter((record) => !ofPartition(record))
    .map(({ json }) => normaliser.record(json));
}

/** What a record is about, for a short difference first. */
function told(records: readonly TreeObject[]): unknown[] {
  return records.map(({ action, schema, table, content }) => [
    action,
    schema,
    table,
    typeof content === 'string' ? content : '',
  ]);
}

/** The names of members in their order: of the record, its metadata and a column. */
function orders(records: readonly Keyed[]): Set<string> {
  return new Set(
    records.map(({ json }) => {
      const record = new Normaliser().record(json);
      const [column] = Array.isArray(record['columns']) ? record['columns'] : [];
      return [record, record['metadata'] ?? null, column ?? {}]
        .map((tree) => Object.keys(named(tree)).join())
        .join('; ');
    }),
  );
}

describe('the script of the original', () => {
  let ours: Keyed[];
  const recorded = readFileSync(join(FIXTURES, 'kafka.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): Keyed => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the form of the recording
      const { key, value } = JSON.parse(line) as { key: string; value: string };
      return { key, json: value };
    });

  beforeAll(async () => {
    ours = await runScript();
  });

  test('gives the records of the recording, in its order per schema, with every member and value', () => {
    const here = normalised(ours.filter((record) => !ourOwn(record)));
    const there = normalised(recorded).map(withoutGenerated);
    expect(told(here)).toEqual(told(there));
    for (const [i, record] of there.entries()) expect([i, here[i]]).toEqual([i, repaired(record, here[i]!)]);
  });

  test('gives the members of a record in the order of the recording', () => {
    expect(orders(ours)).toEqual(orders(recorded));
  });

  test('tells what the original loses: rows without a key, dropped schemas, the partition by its root', () => {
    const lost = ours.filter(ourOwn).map(({ json }) => parseTree(json));
    const rows = lost
      .filter(({ action }) => action !== 'M')
      .map(({ action, table }) => `${textOf(action)} ${textOf(table)}`);
    expect(rows).toEqual(['I nokey', 'U nokey', 'D nokey', 'U uq', 'D uq', 'I ctas']);
    expect(ours.filter(ofPartition).map(({ json }) => parseTree(json)['table'])).toEqual(['parted']);
    const drops = ours.flatMap(({ json }) => {
      const { prefix, content } = parseTree(json);
      if (prefix !== DDL_PREFIX) return [];
      const { command_tag, changes } = parseTree(textOf(content));
      return command_tag === 'DROP SCHEMA' && Array.isArray(changes)
        ? changes.map((change) => named(change)['kind'])
        : [];
    });
    expect(drops).toEqual(['table_dropped', 'table_dropped', 'schema_dropped']);
  });
});
