import { encodeRecord, type ChangeRecord } from '@pgstream/wal-event';
import { change, column, ddl } from '../../test/records.ts';
import { bodyOf } from './bodies.ts';

const sourceOf = (record: ChangeRecord) => ({
  value: encodeRecord(record),
  id: 'msg_1',
  origin: 'a/b',
});

const big = change(3, {
  columns: [column('id', 3), { ...column('n', 0), value: { raw: '9223372036854775807.10' } }],
});

test('pgstream: the bytes of the log, within {"Data":…}', () => {
  const source = sourceOf(big);
  expect(bodyOf(source, 'pgstream').toString()).toBe(`{"Data":${source.value.toString()}}`);
});

test('standard: type, commit time and data, with every digit of a number', () => {
  const body = bodyOf(sourceOf(big), 'standard').toString();
  expect(body).toBe(
    '{"type":"app.orders.insert","timestamp":"2026-11-21T09:14:10.325235Z","data":{"id":"msg_1","operation":"insert",' +
      '"schema":"app","table":"orders","lsn":"0/18","xid":3,"new":{"id":3,"n":9223372036854775807.10}}}',
  );
});

test('standard: an update has both rows and names what was not sent', () => {
  const record = change(4, {
    action: 'U',
    columns: [column('id', 4), column('a', null)],
    identity: [column('id', 3)],
    unchanged: ['long'],
  });
  expect(JSON.parse(bodyOf(sourceOf(record), 'standard').toString())).toMatchObject({
    type: 'app.orders.update',
    data: { new: { id: 4, a: null }, old: { id: 3 }, unchanged: ['long'] },
  });
});

test('standard: a schema change carries its content as JSON', () => {
  const body: unknown = JSON.parse(bodyOf(sourceOf(ddl(5, 'app')), 'standard').toString());
  expect(body).toMatchObject({
    type: 'app.ddl',
    data: { schema: 'app', change: { command_tag: 'ALTER TABLE' } },
  });
});

test('standard: a message that is no JSON stays a text', () => {
  const record = { ...ddl(6, ''), message: { prefix: 'mine', content: 'plain "text"' } };
  expect(JSON.parse(bodyOf(sourceOf(record), 'standard').toString())).toMatchObject({
    type: 'message',
    data: { prefix: 'mine', content: 'plain "text"' },
  });
});

test('cloudevents: the attributes that its specification asks for', () => {
  expect(JSON.parse(bodyOf(sourceOf(change(7)), 'cloudevents').toString())).toMatchObject({
    specversion: '1.0',
    id: 'msg_1',
    source: '/pgstream/a%2Fb',
    type: 'app.orders.insert',
    time: '2026-11-21T09:14:10.325235Z',
    data: { new: { id: 7 } },
  });
});

test('names that types cannot hold are told apart by the data only', () => {
  const record = change(8, { schema: 'my.app', table: 'größe-1' });
  expect(JSON.parse(bodyOf(sourceOf(record), 'standard').toString())).toMatchObject({
    type: 'my_app.größe_1.insert',
    data: { schema: 'my.app', table: 'größe-1' },
  });
});

test('a message outside transactions has no time', () => {
  const source = sourceOf({ ...ddl(6, 'app'), timestamp: '' });
  expect(JSON.parse(bodyOf(source, 'standard').toString())).toMatchObject({ timestamp: '' });
  expect(JSON.parse(bodyOf(source, 'cloudevents').toString())).not.toHaveProperty('time');
});
