import { DDL_PREFIX, parseLsn, type ChangeRecord, type RecordColumn } from '@pgstream/wal-event';
import { disorderIn, type LogEntry } from './log.ts';
import { replay } from './replay.ts';

/** What the system tests measure with must itself see what is wrong. */
const TABLE = { schema: 's', table: 't', tableId: 'tid', keyColumnIds: ['tid-1'] };

function column(attnum: number, name: string, value: string): RecordColumn {
  return { id: `tid-${attnum}`, name, type: 'text', value };
}

function entry(seq: number, change: Partial<ChangeRecord>, epoch = 1): LogEntry {
  const lsn = parseLsn('0/10');
  const record: ChangeRecord = {
    action: 'I',
    timestamp: '',
    position: { commitLsn: lsn, seq, sub: 1 },
    epoch,
    xid: 1,
    lsn,
    columns: null,
    identity: null,
    unchanged: [],
    snapshot: false,
    ...TABLE,
    ...change,
  };
  return { partition: 0, offset: BigInt(seq), record };
}

const row = (id: string, big: string) => [column(1, 'id', id), column(2, 'big', big)];

function altered(columns: readonly object[], change: object): Partial<ChangeRecord> {
  const table = { table_id: 'tid', schema: 's', name: 't', columns };
  const changes = [{ kind: 'table_altered', table, added: [], dropped: [], ...change }];
  return { action: 'M', message: { prefix: DDL_PREFIX, content: JSON.stringify({ changes }) } };
}

test('a record that stands twice, and one behind a later one, are found', () => {
  expect(disorderIn([entry(1, {}), entry(2, {}), entry(3, {})])).toEqual([]);
  expect(disorderIn([entry(1, {}), entry(2, {}), entry(2, {})])).toEqual([expect.stringContaining('again')]);
  expect(disorderIn([entry(2, {}), entry(1, {}), entry(3, {})])).toEqual([expect.stringContaining('after')]);
  expect(disorderIn([entry(5, {}), entry(1, {}, 2)])).toEqual([]);
});

test('a log without one of its records gives other rows', () => {
  const log = [
    entry(1, { columns: row('1', 'a') }),
    entry(2, { columns: row('2', 'b') }),
    entry(3, {
      action: 'U',
      identity: [column(1, 'id', '1')],
      columns: [column(1, 'id', '3')],
      unchanged: ['big'],
    }),
    entry(4, { action: 'D', identity: [column(1, 'id', '2')] }),
  ];
  expect(replay(log).get('s.t')).toEqual(['big=a id=3']);
  expect(replay(log.slice(0, 3)).get('s.t')).toEqual(['big=a id=3', 'big=b id=2']);
  expect(replay([...log, entry(5, { action: 'T' })]).get('s.t')).toEqual([]);
});

test('added columns show their default in old rows, dropped ones go', () => {
  const [id, big, extra] = [
    { id: 'tid-1', name: 'id' },
    { id: 'tid-2', name: 'big' },
    { id: 'tid-3', name: 'extra' },
  ];
  const log = [
    entry(1, { columns: row('1', 'a') }),
    entry(2, altered([id, big, extra], { added: [{ ...extra, constant_default: '7' }] })),
    entry(3, altered([id, extra], { dropped: [big] })),
  ];
  expect(replay(log).get('s.t')).toEqual(['extra=7 id=1']);
});
