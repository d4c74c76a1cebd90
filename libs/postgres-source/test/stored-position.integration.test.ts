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

const nothing = () => {};
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
  await history.load(start);
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
  await keeper.begin();
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

test('what init did about a gap is taken back by no session that began before', async () => {
  const { slot } = await rig.init();
  const start = parseLsn(slot?.consistentPoint ?? '');
  const [led, began] = [1, 2].map(() => new PositionKeeper(rig.admin, rig.slot));
  await began!.begin();
  await led!.begin();
  await led!.reserve(start);
  await rig.admin.query(BEYOND_RESERVED);
  const accepted = await advanceSlot();
  await rig.init({ acceptGap: true });
  const stored = await loadState(rig.admin, rig.slot);
  await rig.admin.query(BEYOND_RESERVED);
  const late = parseLsn(await moreWal());
  await expect(led!.reserve(late)).rejects.toMatchObject({ code: 'PG_SLOT_ACTIVE' });
  await expect(began!.reserve(late)).rejects.toMatchObject({ code: 'PG_SLOT_ACTIVE' });
  await led!.settle(start);
  await expect(loadState(rig.admin, rig.slot)).resolves.toEqual(stored);
  const ours = { token: led!.token, confirmedLsn: formatLsn(start) };
  await expect(checkBeforeStart(rig.admin, { slot: rig.slot, ours })).resolves.toMatchObject({
    confirmedLsn: accepted,
  });

  const before = new PositionKeeper(rig.admin, rig.slot);
  await rig.admin.query("UPDATE pgstream.replication_state SET facts = facts - 'reservedBy'");
  await before.begin();
  await rig.admin.query('SELECT pg_drop_replication_slot($1)', [rig.slot]);
  await rig.init({ acceptGap: true });
  const anew = await loadState(rig.admin, rig.slot);
  await expect(before.reserve(late)).rejects.toMatchObject({ code: 'PG_SLOT_ACTIVE' });
  await expect(loadState(rig.admin, rig.slot)).resolves.toEqual(anew);
});

test('a save that was under way when another session of ours began counts for neither', async () => {
  const { slot } = await rig.init();
  const start = parseLsn(slot?.consistentPoint ?? '');
  let open = nothing;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const slow: Sql = {
    query: async (text, params) => {
      if (text.startsWith('UPDATE')) await gate;
      return rig.admin.query(text, params);
    },
  };
  const keeper = new PositionKeeper(slow, rig.slot);
  await keeper.begin();
  const saved = keeper.reserve(start);
  await keeper.begin();
  open();
  await expect(saved).rejects.toMatchObject({ code: 'PG_CONFLICT', disposition: 'retry' });
  expect(keeper.needsReserve(start)).toBe(true);
});

test('positions of a slot that was torn down are refused by that name', async () => {
  const { slot } = await rig.init();
  const keeper = new PositionKeeper(rig.admin, rig.slot);
  await keeper.begin();
  await rig.admin.query('DELETE FROM pgstream.replication_state');
  const refused = keeper.reserve(parseLsn(slot?.consistentPoint ?? ''));
  await expect(refused).rejects.toMatchObject({ code: 'PG_NOT_INITIALISED', exitCode: 78 });
});

test('a check beside an init sees the slot that it made', async () => {
  let made = false;
  const between: Sql = {
    query: async (text, params) => {
      const found = await rig.admin.query(text, params);
      if (!made && text.includes('pg_replication_slots')) {
        made = true;
        await rig.init();
      }
      return found;
    },
  };
  await expect(check(between)).resolves.toMatchObject({ state: { epoch: 1 } });
});

test('a start beside a leader takes no step of that leader for a stranger on the slot', async () => {
  const { slot } = await rig.init();
  const leader = new PositionKeeper(rig.admin, rig.slot);
  await leader.begin();
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
