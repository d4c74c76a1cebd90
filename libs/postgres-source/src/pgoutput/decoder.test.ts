import fc from 'fast-check';
import { PipelineError } from '@pgstream/failure';
import { PgoutputDecoder, type DecodedRow, type LogicalMessage, type PgoutputHandler } from './decoder.ts';
import type { RelationMessage, TypeMessage } from './messages.ts';
import { rowValues } from './row-values.ts';

type Seen =
  | ['begin', bigint, number, number]
  | ['commit', bigint, bigint]
  | ['relation', RelationMessage]
  | ['type', TypeMessage]
  | ['row', Omit<DecodedRow, 'bytes' | 'view' | 'seq' | 'size'>]
  | ['truncate', readonly number[], number, number]
  | ['message', LogicalMessage];

class Recorder implements PgoutputHandler {
  readonly seen: Seen[] = [];
  begin(lsn: bigint, timeUs: number, xid: number) {
    this.seen.push(['begin', lsn, timeUs, xid]);
  }
  commit(lsn: bigint, endLsn: bigint) {
    this.seen.push(['commit', lsn, endLsn]);
  }
  relation(message: RelationMessage) {
    this.seen.push(['relation', message]);
  }
  type(message: TypeMessage) {
    this.seen.push(['type', message]);
  }
  row({ bytes: _bytes, view: _view, size: _size, seq: _seq, ...row }: DecodedRow) {
    this.seen.push(['row', row]);
  }
  truncate(oids: readonly number[], hi: number, lo: number) {
    this.seen.push(['truncate', oids, hi, lo]);
  }
  message(message: LogicalMessage) {
    this.seen.push(['message', message]);
  }
}

const u8 = (n: number) => Buffer.from([n]);
const u16 = (n: number) => Buffer.from([n >> 8, n & 255]);
const u32 = (n: number) => {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(n >>> 0);
  return b;
};
const u64 = (n: bigint) => {
  const b = Buffer.alloc(8);
  b.writeBigUInt64BE(n);
  return b;
};
const text = (s: string) => Buffer.from(`${s}\0`);
const tuple = (values: readonly (string | null | undefined)[]) =>
  Buffer.concat([
    u16(values.length),
    ...values.map((value) => {
      if (value === undefined) return Buffer.from('u');
      if (value === null) return Buffer.from('n');
      return Buffer.concat([Buffer.from('t'), u32(Buffer.byteLength(value)), Buffer.from(value)]);
    }),
  ]);
/** XLogData whose row LSN is 1/2. */
const frame = (kind: string, ...parts: Buffer[]) =>
  Buffer.concat([Buffer.from('w'), u32(1), u32(2), u64(3n), u64(4n), Buffer.from(kind), ...parts]);

function decode(bytes: Buffer, from = 0, to = bytes.length): Seen[] {
  const recorder = new Recorder();
  new PgoutputDecoder(recorder).decode(bytes, from, to);
  return recorder.seen;
}

const ROW = { lsnHi: 1, lsnLo: 2, relationOid: 7 };
const FRAMES: [string, Buffer, Seen[]][] = [
  ['BEGIN', frame('B', u64(5n), u64(6n), u32(7)), [['begin', 5n, 6, 7]]],
  ['COMMIT', frame('C', u8(0), u64(5n), u64(6n), u64(7n)), [['commit', 5n, 6n]]],
  ['ORIGIN', frame('O', u64(5n), text('elsewhere')), []],
  [
    'TYPE',
    frame('Y', u32(9), text('app'), text('mood')),
    [['type', { oid: 9, schema: 'app', name: 'mood' }]],
  ],
  [
    'MESSAGE',
    frame('M', u8(1), u64(5n), text('p'), u32(3), Buffer.from('abc')),
    [['message', { transactional: true, lsn: 5n, prefix: 'p', content: 'abc' }]],
  ],
  ['TRUNCATE of two', frame('T', u32(2), u8(1), u32(7), u32(8)), [['truncate', [7, 8], 1, 2]]],
  [
    'RELATION',
    frame('R', u32(7), text('app'), text('t'), Buffer.from('f'), u16(1), u8(1), text('id'), u32(20), u32(-1)),
    [
      [
        'relation',
        {
          oid: 7,
          schema: 'app',
          table: 't',
          replicaIdentity: 'f',
          columns: [{ key: true, name: 'id', typeOid: 20, typeModifier: -1 }],
        },
      ],
    ],
  ],
  [
    'INSERT',
    frame('I', u32(7), Buffer.from('N'), tuple(['1', null])),
    [['row', { ...ROW, action: 0x49, newTuple: 31, oldTuple: -1, oldKind: 0, columnCount: 2 }]],
  ],
  [
    'UPDATE without old row',
    frame('U', u32(7), Buffer.from('N'), tuple(['1', undefined])),
    [['row', { ...ROW, action: 0x55, newTuple: 31, oldTuple: -1, oldKind: 0, columnCount: 2 }]],
  ],
  [
    'UPDATE with old key',
    frame('U', u32(7), Buffer.from('K'), tuple(['1', null]), Buffer.from('N'), tuple(['2', 'x'])),
    [['row', { ...ROW, action: 0x55, newTuple: 41, oldTuple: 31, oldKind: 0x4b, columnCount: 2 }]],
  ],
  [
    'DELETE with old row',
    frame('D', u32(7), Buffer.from('O'), tuple(['1', 'x'])),
    [['row', { ...ROW, action: 0x44, newTuple: -1, oldTuple: 31, oldKind: 0x4f, columnCount: 2 }]],
  ],
];

test.each(FRAMES)('%s is read whole', (_name, bytes, expected) => {
  expect(decode(bytes)).toEqual(expected);
});

test.each(FRAMES)(
  '%s cut short anywhere, or with a byte too many, is refused before anybody hears of it',
  (_name, bytes) => {
    for (let length = 25; length < bytes.length; length++) {
      expect(refusal(bytes.subarray(0, length))?.code).toBe('PG_PROTOCOL');
      // what follows in the read buffer would complete it
      expect(refusal(bytes, 0, length)?.code).toBe('PG_PROTOCOL');
    }
    expect(refusal(Buffer.concat([bytes, u8(0)]))?.code).toBe('PG_PROTOCOL');
  },
);

test.each(FRAMES)('%s is read the same in the middle of a buffer', (_name, bytes, expected) => {
  const before = Buffer.from('tu\0nt');
  const seen = decode(Buffer.concat([before, bytes, bytes]), before.length, before.length + bytes.length);
  expect(seen).toEqual(expected.map((one) => shifted(one, before.length)));
});

/** The same, `by` bytes later in its buffer. */
function shifted(seen: Seen, by: number): Seen {
  if (seen[0] !== 'row') return seen;
  const { newTuple, oldTuple, ...rest } = seen[1];
  const later = (offset: number) => (offset < 0 ? offset : offset + by);
  return ['row', { ...rest, newTuple: later(newTuple), oldTuple: later(oldTuple) }];
}

test('a refusal says where, and nothing of the row', () => {
  const bytes = frame('I', u32(7), Buffer.from('N'), tuple(['secret']));
  bytes[33] = 0x62; // a binary value, which nobody asked for
  const error = refusal(bytes);
  expect(error?.facts).toEqual({ kind: '0x49', length: bytes.length, offset: 33 });
  expect(error?.message).not.toContain('secret');
});

test('any bytes at all are read or refused, and no frame is changed', () => {
  const noise = fc.uint8Array({ minLength: 0, maxLength: 80 }).map((bytes) => Buffer.from(bytes));
  const kinds = fc.constantFrom('B', 'C', 'O', 'R', 'Y', 'I', 'U', 'D', 'T', 'M', 'X', 'S');
  fc.assert(
    fc.property(kinds, noise, (kind, rest) => {
      const bytes = frame(kind, rest);
      const before = Buffer.from(bytes);
      expect(refusal(bytes)?.code ?? 'PG_PROTOCOL').toBe('PG_PROTOCOL');
      expect(bytes.equals(before)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('the values of any row are found again', () => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.constant(null), fc.constant(undefined));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 40 }), (values) => {
      const bytes = frame('I', u32(7), Buffer.from('N'), tuple(values));
      expect(decode(bytes)).toHaveLength(1);
      const columns = values.map((_, i) => ({ name: `c${i}`, typeOid: 25, typeModifier: -1, key: false }));
      const expected = new Map(values.map((one, i) => [`c${i}`, one]));
      for (const [name, one] of expected) if (one === undefined) expected.delete(name);
      expect(rowValues(bytes, 31, columns)).toEqual(expected);
    }),
  );
});

/** Undefined for a frame that is read; any error but the typed one goes through. */
function refusal(bytes: Buffer, from = 0, to = bytes.length): PipelineError | undefined {
  try {
    decode(bytes, from, to);
    return undefined;
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
}
