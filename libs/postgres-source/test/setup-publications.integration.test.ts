import { tearDown } from '@pgstream/postgres-source';
import { setupRig, type SetupRig } from './setup-rig.ts';

let rig: SetupRig;
beforeEach(async () => {
  rig = await setupRig();
});
afterEach(() => rig.close());

/** Tags of the pgoutput messages about user tables since the last call, in order, by table: `t: IUD`. */
async function received(publications: readonly string[]): Promise<Record<string, string>> {
  const { rows } = await rig.admin.query(
    `SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)`,
    [rig.slot, publications.map((name) => `"${name}"`).join(',')],
  );
  const names = new Map<number, string>();
  const tags: Record<string, string> = {};
  for (const { data } of rows) {
    if (!Buffer.isBuffer(data)) continue;
    const tag = data.toString('latin1', 0, 1);
    // https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
    if (tag === 'R')
      names.set(data.readInt32BE(1), data.toString('utf8', 5).split('\0').slice(0, 2).join('.'));
    const oids = tag === 'T' ? [data.readInt32BE(6)] : 'IUD'.includes(tag) ? [data.readInt32BE(1)] : [];
    for (const oid of oids) tags[names.get(oid) ?? ''] = (tags[names.get(oid) ?? ''] ?? '') + tag;
  }
  return Object.fromEntries(Object.entries(tags).filter(([name]) => name.startsWith('public.')));
}

async function change(tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    await rig.admin.query(
      `INSERT INTO ${table} VALUES (1, 'a'); UPDATE ${table} SET b = 'b'; DELETE FROM ${table}`,
    );
    await rig.admin.query(`TRUNCATE ${table}`);
  }
}

const TABLES = `CREATE TABLE keyed (a int PRIMARY KEY, b text); CREATE TABLE plain (a int, b text);
  CREATE TABLE parted (a int, b text) PARTITION BY RANGE (a);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9)`;

test('one publication carries every table and every event, partitions as their root', async () => {
  await rig.admin.query(TABLES);
  const { plan } = await rig.init({ keyless: 'full' });
  await change(['keyed', 'plain', 'parted']);
  await rig.admin.query('CREATE TABLE later AS SELECT 1 AS a');
  await rig.admin.query('UPDATE later SET a = 2');
  await expect(received(plan.publications)).resolves.toEqual({
    'public.keyed': 'IUDT',
    'public.plain': 'IUDT',
    'public.parted': 'IUDT',
    'public.later': 'IU',
  });
});

test('two lists carry everything of tables with a key, and INSERT and TRUNCATE of the others', async () => {
  await rig.admin.query(TABLES);
  const { plan } = await rig.init({ mode: 'list' });
  expect(plan.publications).toHaveLength(2);
  await change(['keyed', 'plain', 'parted']);
  await expect(received(plan.publications)).resolves.toEqual({
    'public.keyed': 'IUDT',
    'public.plain': 'IT',
    'public.parted': 'IT',
  });
  await tearDown(rig.admin, { slot: rig.slot });
});

test('a table of a limited publication is carried, another is not, and nobody is kept from writing', async () => {
  await rig.admin.query(TABLES);
  await expect(rig.init({ filter: { include: ['parted'], exclude: [] } })).rejects.toMatchObject({
    code: 'PG_IDENTITY_MISSING',
    message: expect.not.stringContaining('"plain"'),
  });
  const { plan } = await rig.init({ filter: { include: ['parted', 'keyed'], exclude: [] }, keyless: 'full' });
  await change(['keyed', 'plain', 'parted']);
  await expect(received(plan.publications)).resolves.toEqual({
    'public.keyed': 'IUDT',
    'public.parted': 'IUDT',
  });
});
