import fc from 'fast-check';
import { encodeRecord, type ChangeRecord } from './change-record.ts';
import { parseLsn } from './lsn.ts';
import { RecordReader } from './record-reader.ts';

const name = fc.constantFrom('a', 'b', 'ü"', ',"metadata":{}');
const record: fc.Arbitrary<ChangeRecord> = fc.record({
  action: fc.constantFrom('I', 'U', 'D', 'T' as const),
  timestamp: fc.constant('2026-11-21 09:14:10+00'),
  position: fc.record({
    commitLsn: fc.constantFrom(parseLsn('0/10'), parseLsn('A/FFFFFFFF')),
    seq: fc.nat(),
    sub: fc.constantFrom(0, 1),
  }),
  epoch: fc.nat(),
  xid: fc.nat(),
  lsn: fc.constant(parseLsn('0/8')),
  schema: name,
  table: name,
  columns: fc.option(fc.array(fc.record({ id: name, name, type: name, value: fc.option(fc.string()) }))),
  identity: fc.constant(null),
  tableId: name,
  keyColumnIds: fc.constantFrom(null, ['a-1'], ['a-1', 'a-2']),
  unchanged: fc.constantFrom([], ['big']),
  snapshot: fc.boolean(),
});

function headOf(reader: RecordReader) {
  const { action, commitLsn, epoch, xid, lsn, seq, sub, snapshot, ref, unchanged } = reader;
  return { action, commitLsn, epoch, xid, lsn, seq, sub, snapshot, ref, unchanged };
}

test('the head of a record, read alone, is what a whole reading gives', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), (records) => {
      const heads = new RecordReader();
      for (const bytes of records.flatMap((r) => [encodeRecord(r), encodeRecord(r)])) {
        const whole = new RecordReader();
        whole.read(bytes, 0, bytes.length);
        heads.readHead(bytes, 0, bytes.length);
        expect(headOf(heads)).toEqual(headOf(whole));
      }
    }),
  );
});
