import {
  checkBeforeStart,
  keepingPosition,
  loadState,
  PositionKeeper,
  type SchemaHistoryPort,
  type Sql,
} from '@pgstream/postgres-source';
import { waitFor } from '@pgstream/test-kit';
import { formatLsn, parseLsn } from '@pgstream/wal-event';
import { brief } from './brief.ts';
import { Reader } from './reader.ts';
import { RelationHistory } from './relation-history.ts';
import { setupRig, type SetupRig } from './setup-rig.ts';

let rig: SetupRig;
beforeEach(async () => {
  rig = await setupRig();
});
afterEach(() => rig.close());

const check = (sql: Sql = rig.admin) => checkBeforeStart(sql, { slot: rig.slot });

/** More WAL than a session reserves at once. */
const BEYOND_RESERVED = "SELECT pg_logical_emit_message(false, 'x', repeat('x', 20000000))";

/** The end of WAL after some more of it. */
async function moreWal(): Promise<string> {
  await rig.admin.query(
    'CREATE TABLE IF NOT EXISTS noise (a int); INSERT INTO noise SELECT generate_series(1, 100)',
  );
  const { rows } = await rig.admin.query('SELECT pg_current_wal_lsn()::text AS lsn');
  return String(rows[0]?.['lsn']);
}

/** Somebody reads and confirms the slot. */
async function advanceSlot(to?: string): Promise<string> {
  const lsn = to ?? (await moreWal());
  await rig.admin.query('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [rig.slot, lsn]);
  return lsn;
}

test('a kept position lets us confirm without a save each time, and tells others from us', async () => {
  const { slot } = await rig.init();
  const keeper = new PositionKeeper(rig.admin, rig.slot);
  const history = keepingPosition(idleHistory, keeper);
  const start = parseLsn(slot?.consistentPoint ?? '');
  expect(history.pendingCheckpoint(start)).toBe(true);
  await history.checkpoint(start);
  const ours = parseLsn(await advanceSlot());
  expect(history.pendingCheckpoint(ours)).toBe(false);
  await expect(check()).resolves.toMatchObject({ confirmedLsn: formatLsn(ours) });
  await keeper.settle(ours);
  await advanceSlot();
  await expect(check()).rejects.toMatchObject({ code: 'PG_SLOT_ADVANCED' });
  await history.load(ours);
  expect(history.pendingCheckpoint(ours)).toBe(true);
});

test('a session notices that its slot was moved by a byte, unless another of ours has led meanwhile', async () => {
  const { slot } = await rig.init();
  const keeper = new PositionKeeper(rig.admin, rig.slot);
  const start = parseLsn(slot?.consistentPoint ?? '');
  const asked = async (told: string) => {
    const ours = { token: keeper.token, confirmedLsn: told };
    return checkBeforeStart(rig.admin, { slot: rig.slot, ours });
  };
  await keeper.reserve(start);
  await expect(asked(formatLsn(start))).resolves.toMatchObject({ confirmedLsn: formatLsn(start) });
  const moved = await advanceSlot();
  await expect(asked(formatLsn(start))).rejects.toMatchObject({ code: 'PG_SLOT_ADVANCED' });
  await expect(asked(moved)).resolves.toMatchObject({ confirmedLsn: moved });
  const successor = new PositionKeeper(rig.admin, rig.slot);
  await successor.begin();
  await successor.reserve(start);
  await expect(asked(formatLsn(start))).resolves.toMatchObject({ confirmedLsn: moved });
});

test('a session that slept, and wakes up after its successor, takes nothing back of what that one stored', async () => {
  const { slot } = await rig.init();
  const start = parseLsn(slot?.consistentPoint ?? '');
  const [sleeper, starter, successor] = [1, 2, 3].map(() => new PositionKeeper(rig.admin, rig.slot));
  await sleeper!.begin();
  await sleeper!.reserve(start);
  // One that slept between its START and the first position that it stores
  await starter!.begin();
  await successor!.begin();
  await successor!.reserve(parseLsn(await moreWal()));
  const stored = await loadState(rig.admin, rig.slot);

  await rig.admin.query(BEYOND_RESERVED);
  const late = parseLsn(await moreWal());
  await expect(sleeper!.reserve(late)).rejects.toMatchObject({ code: 'PG_SLOT_ACTIVE' });
  await expect(starter!.reserve(late)).rejects.toMatchObject({ code: 'PG_SLOT_ACTIVE' });
  await sleeper!.settle(start);
  await expect(loadState(rig.admin, rig.slot)).resolves.toEqual(stored);
  await successor!.reserve(late);
  await advanceSlot(formatLsn(late));
  await expect(check()).resolves.toMatchObject({ confirmedLsn: formatLsn(late) });
});

test('a start beside a leader takes no step of that leader for a stranger on the slot', async () => {
  const { slot } = await rig.init();
  const leader = new PositionKeeper(rig.admin, rig.slot);
  await leader.reserve(parseLsn(slot?.consistentPoint ?? ''));
  await leader.settle(parseLsn(slot?.consistentPoint ?? ''));
  let steps = 0;
  const between: Sql = {
    query: async (text, params) => {
      const found = await rig.admin.query(text, params);
      const lsn = await moreWal();
      await leader.reserve(parseLsn(lsn));
      await advanceSlot(lsn);
      await leader.settle(parseLsn(lsn));
      steps += 1;
      return found;
    },
  };
  await expect(check(between)).resolves.toMatchObject({ state: { epoch: 1 } });
  expect(steps).toBeGreaterThan(3);
});

test('a source whose slot another session took over stands by, and goes on from there when it is free', async () => {
  await rig.admin.query('CREATE TABLE t (id int PRIMARY KEY)');
  await rig.init();
  const roles: string[] = [];
  const keeper = new PositionKeeper(rig.admin, rig.slot);
  const database = { url: '', slot: rig.slot, publications: [rig.publication] };
  const reader = new Reader(database, {
    connection: rig.connections.connection,
    history: keepingPosition(new RelationHistory(), keeper),
    observer: { onRole: (role) => void roles.push(role) },
  });
  try {
    await rig.admin.query('INSERT INTO t VALUES (1)');
    await reader.records(1);
    const other = new PositionKeeper(rig.admin, rig.slot);
    await other.begin();
    await other.reserve(parseLsn(await moreWal()));
    await rig.admin.query(BEYOND_RESERVED);
    await rig.admin.query('INSERT INTO t VALUES (2)');
    await waitFor('it to stand by', () => roles.includes('standby'));
    await rig.admin.query('INSERT INTO t VALUES (3)');
    await waitFor('it to lead again', () => roles.at(-1) === 'leader' && roles.includes('standby'));
    const end = parseLsn(await moreWal());
    await waitFor('the slot', async () => parseLsn((await check()).confirmedLsn) >= end);
    const rows = brief(reader.seen).filter((line) => line.startsWith('I t '));
    expect(new Set(rows)).toEqual(new Set(['I t id=1', 'I t id=2', 'I t id=3']));
    expect(reader.failure).toBeUndefined();
  } finally {
    await reader.stop();
  }
});

const idleHistory: SchemaHistoryPort = {
  load: () => Promise.resolve(),
  type: () => {},
  relation: () => {
    throw new Error('not asked');
  },
  witnessed: () => {},
  logRow: () => null,
  checkpoint: () => Promise.resolve(),
  pendingCheckpoint: () => false,
};
