import { assertSlotName, defaultSlotName, publicationNames, quoteIdent } from './names.ts';
import { serverChecks, type ServerSetting } from './preflight-server.ts';
import { assertPreflight } from './preflight.ts';
import type { ServerFacts } from './server.ts';
import { publicationScope, selectionIncludes } from './table-selection.ts';

const scope = (...include: string[]) => publicationScope({ include, exclude: [] });

test.each([
  ['ecommerce_db', 'pgstream_ecommerce_db_slot'],
  ['My.Data-base', 'pgstream_my_data_base_slot'],
  ['täst db', 'pgstream_t_st_db_slot'],
  ['x'.repeat(63), `pgstream_${'x'.repeat(49)}_slot`],
])('the slot of database %s is %s', (database, slot) => {
  expect(defaultSlotName(database)).toBe(slot);
  expect(() => assertSlotName(defaultSlotName(database), 's')).not.toThrow();
});

test.each(['', 'Upper', 'with-dash', 'a'.repeat(64), 'sql; drop'])(
  'slot name %p is refused by its setting',
  (name) => {
    expect(() => assertSlotName(name, '--replication-slot')).toThrow(/CONFIG_INVALID.*--replication-slot/);
  },
);

test('publication names stay different and fit, however long the slot name is', () => {
  const { full, insertOnly } = publicationNames('a'.repeat(63));
  expect(full).not.toBe(insertOnly);
  expect([full.length, insertOnly.length].every((length) => length <= 63)).toBe(true);
});

test('quotes cannot be left', () => {
  expect(quoteIdent('a"; DROP TABLE b; --')).toBe('"a""; DROP TABLE b; --"');
});

test.each([
  [[], [], 's.t', true],
  [['t'], [], 'public.t', true],
  [['t'], [], 's.t', false],
  [['s.*'], [], 's.anything.else', true],
  [['*.*'], ['s.t'], 's.t', false],
  [['s.a?c'], [], 's.abc', true],
  [['s.a.c'], [], 's.a.c', true],
  [['s.a.c'], [], 's.abc', false],
  [[], ['s.*'], 's.t', false],
] as const)('include %j exclude %j: %s is %s', (include, exclude, name, wanted) => {
  const [schema = '', ...table] = name.split('.');
  expect(selectionIncludes({ include, exclude }, { schema, table: table.join('.') })).toBe(wanted);
});

test('a publication can be limited to tables and schemas, not to globs', () => {
  expect(scope()).toEqual({ kind: 'all' });
  expect(scope('*.*').kind).toBe('all');
  expect(scope('s.a*').kind).toBe('all');
  expect(scope('a', 's.*', 's.b')).toEqual({
    kind: 'list',
    tables: [{ schema: 'public', table: 'a' }],
    schemas: ['s'],
  });
});

describe('server settings', () => {
  const server: ServerFacts = {
    role: 'r',
    database: 'd',
    superuser: true,
    replication: true,
    mayCreate: true,
    systemId: '1',
    timeline: 1,
    inRecovery: false,
    walLsn: '0/1',
    version: 170_010,
  };
  const good: Readonly<Record<ServerSetting, string>> = {
    wal_level: 'logical',
    max_replication_slots: '10',
    max_wal_senders: '10',
    max_slot_wal_keep_size: '50000',
    idle_replication_slot_timeout: '0',
    synchronous_commit: 'on',
    server_encoding: 'UTF8',
    slots: '3',
    walsenders: '3',
  };
  const failed = (settings: Partial<typeof good>, facts: Partial<ServerFacts> = {}) =>
    serverChecks({
      server: { ...server, ...facts },
      settings: new Map(Object.entries({ ...good, ...settings })),
      slot: null,
    }).filter((check) => !check.ok);

  test('nothing is said about a good server', () => expect(failed({})).toEqual([]));

  test.each([
    [{ wal_level: 'replica' }, {}, 'wal_level: .*ALTER SYSTEM SET wal_level = logical; then restart'],
    [{ slots: '10' }, {}, 'max_replication_slots: 10 of 10 .*ALTER SYSTEM SET max_replication_slots'],
    [{ server_encoding: 'LATIN1' }, {}, 'encoding: .*UTF8'],
    [{}, { version: 140_000 }, 'server_version: PostgreSQL 14; 15 to 18 are supported'],
    [{}, { inRecovery: true }, 'primary: .*URL of the primary'],
  ])('%j %j stops, with the remedy', (settings, facts, words) => {
    const checks = failed(settings, facts);
    expect(checks).toHaveLength(1);
    expect(() => assertPreflight(checks)).toThrow(
      expect.objectContaining({ code: 'PG_PREFLIGHT_FAILED', exitCode: 78 }),
    );
    expect(() => assertPreflight(checks)).toThrow(new RegExp(words));
  });

  test.each([
    [{ walsenders: '10' }, 'max_wal_senders', 'warning'],
    [{ max_slot_wal_keep_size: '-1' }, 'max_slot_wal_keep_size', 'warning'],
    [{ idle_replication_slot_timeout: '60' }, 'idle_replication_slot_timeout', 'warning'],
    [{ synchronous_commit: 'off' }, 'synchronous_commit', 'info'],
  ])('%j is told and stops nothing', (settings, name, severity) => {
    const checks = failed(settings);
    expect(checks).toMatchObject([{ name, severity }]);
    expect(() => assertPreflight(checks)).not.toThrow();
  });
});
