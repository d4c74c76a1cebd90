import { waitFor } from '@pgstream/test-kit';
import { decodeRecord, valueAt, type SchemaChange } from '@pgstream/wal-event';
import {
  addMissingTables,
  PostgresSource,
  publicationNames,
  Reconciler,
  SchemaHistory,
} from '../src/index.ts';
import { runMigrations } from '@pgstream/postgres-client';
import { MIGRATIONS, setupRig, type RigRole, type SetupRig } from './setup-rig.ts';

/** What a role without event triggers and without FOR ALL TABLES gets: everything, later and in less detail. */
describe('the schema history in list mode', () => {
  let rig: SetupRig;
  let role: RigRole;
  let history: SchemaHistory;
  let source: PostgresSource;
  let reading: Promise<void>;
  const stop = new AbortController();
  const told: string[] = [];

  beforeAll(async () => {
    rig = await setupRig();
    role = await rig.role('REPLICATION');
    await rig.admin.query(
      `GRANT ALL PRIVILEGES ON DATABASE ${rig.database} TO ${role.name}; CREATE SCHEMA app AUTHORIZATION ${role.name}`,
    );
    await role.pool.query('CREATE TABLE app.t(id int PRIMARY KEY, v text)');
    const migrate = (options: { readonly superuser: boolean }) =>
      runMigrations(role.pool, MIGRATIONS, options);
    await rig.init({}, { sql: role.pool, connection: role.config, migrate });
    history = new SchemaHistory({ sql: role.pool, slot: rig.slot, systemId: '1', epoch: 1 });
    const { full, insertOnly } = publicationNames(rig.slot);
    source = new PostgresSource({
      connection: role.config,
      slot: rig.slot,
      publications: [full, insertOnly],
      epoch: 1,
      history,
      instance: 'list',
    });
    reading = read();
  });

  afterAll(async () => {
    stop.abort();
    await reading;
    await source.close();
    await rig.close();
  });

  async function read(): Promise<void> {
    for await (const batch of source.batches(stop.signal)) {
      for (let i = 0; i < batch.count; i++) told.push(...brief(valueAt(batch, i)));
      if (batch.checkpoint !== undefined) await source.confirm(batch.lane, batch.checkpoint);
      batch.release?.();
    }
  }

  test('a new table is told in front of its first row, a changed one too', async () => {
    await role.pool.query(`INSERT INTO app.t VALUES (1, 'x')`);
    await role.pool.query('CREATE TABLE app.later(id int PRIMARY KEY)');
    await addMissingTables(role.pool, { slot: rig.slot });
    await role.pool.query('INSERT INTO app.later VALUES (1)');
    await role.pool.query('ALTER TABLE app.t ADD COLUMN w int');
    await role.pool.query(`INSERT INTO app.t VALUES (2, 'x', 3)`);
    await waitFor('the rows', () => told.filter((line) => line.startsWith('I')).length === 3);
    expect(told).toEqual([
      'I t',
      'relation table_created later',
      'I later',
      'relation table_altered t',
      'I t',
    ]);
  });

  test('a dropped table, which leaves nothing in the stream, is found by the comparison with the catalogue', async () => {
    const reconciler = new Reconciler(role.pool, history);
    await role.pool.query('DROP TABLE app.later');
    told.length = 0;
    await reconciler.round();
    expect(await reconciler.round()).toBe(1);
    await waitFor('the finding', () => told.some((line) => line.includes('dropped')));
    expect(told).toContain('catalogue table_dropped later');
  });
});

/** `I table` for rows, `source kind name` for each change of a schema record. */
function brief(bytes: Buffer): string[] {
  const record = decodeRecord(bytes);
  if (record.message === undefined) return [`${record.action} ${record.table}`];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only messages of this test are schema records
  const { source: witness, changes } = JSON.parse(record.message.content) as SchemaChange;
  return changes.map(
    (change) =>
      `${witness} ${change.kind} ${'table' in change ? change.table.name : 'name' in change ? change.name : change.schema}`,
  );
}
