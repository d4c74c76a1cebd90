import {
  encodeRecord,
  type ChangeRecord,
  type Lsn,
  type RecordColumn,
  type RecordValue,
} from '@pgstream/wal-event';
import fc from 'fast-check';
import { plainBody, plainKeys } from '../../test/plain-event.ts';
import { EventBudget, LogEvent } from './log-event.ts';

const NAMES = ['id', 'größe', 'a"b\\c', 'line\nbreak', ' ', '名前'];
const text = fc.string({ unit: 'grapheme', maxLength: 60 }).map((one) => one.replaceAll('\0', ''));
const value = fc.oneof(
  text,
  fc.constantFrom<RecordValue>(null, true, false),
  fc
    .constantFrom('0', '-1', '9223372036854775807', '0.5000', '1e-45', '-0.0')
    .map<RecordValue>((raw) => ({ raw })),
);
const row = fc.subarray(NAMES).chain((names) =>
  fc.tuple(
    ...names.map((name) =>
      value.map((one): RecordColumn => {
        return { id: `t-${name}`, name, type: 'text', value: one };
      }),
    ),
  ),
);
const word = fc.integer({ min: 0, max: 0xffff_ffff });
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- two words are an LSN
const lsn = fc.tuple(word, word).map(([hi, lo]) => ((BigInt(hi) << 32n) | BigInt(lo)) as Lsn);

const changeOf = fc.record({
  timestamp: fc.constantFrom('', '2026-11-21 09:14:10.325235+00', '2026-11-21 09:14:10+00'),
  position: fc.record({
    commitLsn: lsn,
    seq: fc.integer({ min: 0, max: 2 ** 31 }),
    sub: fc.constantFrom<0 | 1>(0, 1),
  }),
  epoch: fc.integer({ min: 1, max: 1_000 }),
  xid: word,
  lsn,
  snapshot: fc.boolean(),
});
const names = fc.constantFrom('app', 'my.app', 'größe-1', 'a"b', '');
const rowChange = fc
  .record({
    head: changeOf,
    action: fc.constantFrom<ChangeRecord['action']>('I', 'U', 'D', 'T'),
    schema: names,
    table: names,
    columns: fc.option(row),
    identity: fc.option(row),
    keyColumnIds: fc.option(
      fc.subarray(
        NAMES.map((name) => `t-${name}`),
        { minLength: 1 },
      ),
    ),
    tableId: fc.constantFrom('t', 'a"b'),
    unchanged: fc.subarray(NAMES),
  })
  .map(({ head, ...rest }): ChangeRecord => Object.assign({}, head, rest));
const messageChange = fc
  .record({
    head: changeOf,
    prefix: fc.constantFrom('pgstream.ddl', 'mine', ''),
    content: fc.oneof(
      text,
      fc.json(),
      names.map((name) => JSON.stringify({ schema_name: name })),
    ),
  })
  .map(({ head, ...message }): ChangeRecord => ({
    ...head,
    action: 'M',
    schema: '',
    table: '',
    columns: null,
    identity: null,
    message,
    tableId: '',
    keyColumnIds: null,
    unchanged: [],
  }));
const changes = fc.array(fc.oneof({ weight: 4, arbitrary: rowChange }, messageChange), {
  minLength: 1,
  maxLength: 4,
});

const origin = 'topic/ä';
const eventOf = (record: ChangeRecord) =>
  new LogEvent({ offset: 0, commitTimeMs: 0, origin }, encodeRecord(record), new EventBudget(1e9));

test('bodies from bytes are those of the decoded record, whichever record was read before', () => {
  fc.assert(
    fc.property(changes, (records) => {
      const events = records.map(eventOf);
      for (const format of ['standard', 'cloudevents'] as const) {
        for (const [i, event] of events.entries()) {
          expect(event.body(format).toString()).toBe(plainBody(records[i]!, format, origin));
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('an event waits for the rows of its decoded record, and a row has one number, which no other has', () => {
  fc.assert(
    fc.property(changes, (records) => {
      const found = records.map((record) => ({ event: eventOf(record), keys: plainKeys(record) }));
      const numbers = found.flatMap(({ event, keys }) => {
        const { rows, isBarrier } = event.dependence('key');
        expect([isBarrier, rows.length]).toEqual([keys === null, keys?.length ?? 0]);
        return (keys ?? []).map((key, i) => `${key} ${rows[i]}`);
      });
      const distinct = new Set(numbers);
      expect(new Set([...distinct].map((one) => one.slice(0, one.lastIndexOf(' ')))).size).toBe(
        distinct.size,
      );
      expect(new Set([...distinct].map((one) => one.slice(one.lastIndexOf(' ')))).size).toBe(distinct.size);
      const short = found.filter(({ keys }) => keys?.every((key) => key.length <= 256) !== false);
      expect(short.map(({ event }) => event.keys('key'))).toEqual(short.map(({ keys }) => keys ?? []));
    }),
    { numRuns: 500 },
  );
});

const MEMBERS = ['action', 'columns', 'schema', 'message', 'identity', 'table', 'unchanged'] as const;

test('what filters ask of an event is what its decoded record says, in any order', () => {
  fc.assert(
    fc.property(changes, (records) => {
      const events = records.map(eventOf);
      for (const member of MEMBERS) {
        for (const [i, event] of events.entries()) expect(event[member]).toEqual(records[i]![member]);
      }
      for (const event of events) event.ready(['standard']);
      expect(events.map(({ record }) => record)).toEqual(records);
    }),
  );
});
