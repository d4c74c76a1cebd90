import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { decodeRecord, encodeRecord, type ChangeRecord, type RecordValue } from './change-record.ts';
import { viewOf } from './json-bytes.ts';
import { parseLsn } from './lsn.ts';
import { ACTION, RecordBatchBuilder, valueAt } from './record-batch.ts';
import { RecordEncoder } from './record-encoder.ts';
import { RecordFormatError } from './record-format-error.ts';
import { RecordReader } from './record-reader.ts';
import { TableTemplate } from './table-template.ts';
import type { ValueEncoding } from './table.ts';

/** What PostgreSQL sends for a column: text, NULL, or nothing for an unchanged TOASTed value. */
type Sent = { readonly text: string } | null | 'unchanged';

const text = fc.string({ unit: 'grapheme', maxLength: 200 }).map((s) => s.replaceAll('\0', ''));
const number = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '0.5000', '-0.5', '1e-45', '1e+300', '0'),
);
const valueOf: Record<ValueEncoding, fc.Arbitrary<string>> = {
  number,
  boolean: fc.constantFrom('t', 'f'),
  bytea: fc.uint8Array({ maxLength: 40 }).map((b) => `\\x${Buffer.from(b).toString('hex')}`),
  text,
};
const encoding = fc.constantFrom<ValueEncoding>('number', 'boolean', 'bytea', 'text');
const column = encoding.chain((enc) =>
  fc.record({
    encoding: fc.constant(enc),
    name: text.map((s) => s || 'c'),
    isKey: fc.boolean(),
    sent: fc.oneof(
      { weight: 6, arbitrary: valueOf[enc].map((t): Sent => ({ text: t })) },
      fc.constant<Sent>(null),
      fc.constant<Sent>('unchanged'),
    ),
    old: fc.oneof(
      { weight: 6, arbitrary: valueOf[enc].map((t): Sent => ({ text: t })) },
      fc.constant<Sent>(null),
    ),
  }),
);
const row = fc.record({
  columns: fc.array(column, { minLength: 1, maxLength: 12 }),
  action: fc.constantFrom('I', 'U', 'D' as const),
  oldKind: fc.constantFrom('none', 'K', 'O' as const),
  schema: text,
  table: text,
  commitTimeUs: fc.integer({ min: 0, max: 2 ** 50 }),
  lsnLo: fc.integer({ min: 0, max: 0xffff_ffff }),
  seq: fc.integer({ min: 0, max: 2 ** 31 }),
});

function tuple(values: readonly Sent[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(values.length);
  const parts = values.map((value) => {
    if (value === null) return Buffer.from('n');
    if (value === 'unchanged') return Buffer.from('u');
    const bytes = Buffer.from(value.text);
    const head = Buffer.alloc(5);
    head.write('t');
    head.writeUInt32BE(bytes.length, 1);
    return Buffer.concat([head, bytes]);
  });
  return Buffer.concat([count, ...parts]);
}

function recordValue(enc: ValueEncoding, value: Sent): RecordValue {
  if (value === null || value === 'unchanged') return null;
  if (enc === 'boolean') return value.text === 't';
  if (enc === 'bytea') return Buffer.from(value.text.slice(2), 'hex').toString('base64');
  return enc === 'number' && /^-?\d/.test(value.text) ? { raw: value.text } : value.text;
}

type Row = typeof row extends fc.Arbitrary<infer T> ? T : never;

/** The same row by way of objects: what the flyweight must agree with. */
function expected({ columns, action, oldKind, ...rest }: Row): ChangeRecord {
  const specs = columns.map((c, i) => ({ ...c, id: `t-${i + 1}`, type: c.encoding }));
  const pick = (list: typeof specs, which: 'sent' | 'old') =>
    list.map((c) => ({ id: c.id, name: c.name, type: c.type, value: recordValue(c.encoding, c[which]) }));
  const keys = specs.filter((c) => c.isKey);
  const sentKeys = pick(
    keys.filter((c) => c.sent !== 'unchanged'),
    'sent',
  );
  const identity = () => {
    if (action !== 'I' && oldKind === 'O') return pick(specs, 'old');
    if (action !== 'I' && oldKind === 'K') return pick(keys, 'old');
    return action === 'U' && sentKeys.length > 0 ? sentKeys : null;
  };
  const second = new Date(946_684_800_000 + Math.floor(rest.commitTimeUs / 1e6) * 1000).toISOString();
  const us = String(rest.commitTimeUs % 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return {
    action,
    timestamp: `${second.slice(0, 10)} ${second.slice(11, 19)}${us === '' ? '' : `.${us}`}+00`,
    position: { commitLsn: parseLsn('A/B0'), seq: rest.seq, sub: 1 },
    epoch: 3,
    xid: 77,
    lsn: parseLsn(`1/${rest.lsnLo.toString(16)}`),
    schema: rest.schema,
    table: rest.table,
    columns:
      action === 'D'
        ? null
        : pick(
            specs.filter((c) => c.sent !== 'unchanged'),
            'sent',
          ),
    identity: identity(),
    tableId: 't',
    keyColumnIds: keys.length === 0 ? null : keys.map((c) => c.id),
    unchanged: action === 'D' ? [] : specs.filter((c) => c.sent === 'unchanged').map((c) => c.name),
    snapshot: false,
  };
}

function encoded(r: Row): Buffer {
  const specs = r.columns.map((c, i) => ({
    id: `t-${i + 1}`,
    name: c.name,
    type: c.encoding,
    encoding: c.encoding,
  }));
  const keyColumnIds = specs.filter((_, i) => r.columns[i]!.isKey).map((c) => c.id);
  const template = new TableTemplate({
    schema: r.schema,
    table: r.table,
    tableId: 't',
    keyColumnIds,
    columns: specs,
  });
  const hasOld = r.action !== 'I' && r.oldKind !== 'none';
  const old = hasOld
    ? tuple(r.columns.map((c) => (r.oldKind === 'K' && !c.isKey ? null : c.old)))
    : Buffer.alloc(0);
  const fresh = r.action === 'D' ? Buffer.alloc(0) : tuple(r.columns.map((c) => c.sent));
  const encoder = new RecordEncoder(3);
  encoder.begin({ commitLsn: parseLsn('A/B0'), commitTimeUs: r.commitTimeUs, xid: 77 });
  const out = new RecordBatchBuilder(16, 1);
  const bytes = Buffer.concat([old, fresh]);
  encoder.row(out, template, {
    action: r.action.charCodeAt(0),
    lsnHi: 1,
    lsnLo: r.lsnLo,
    seq: r.seq,
    bytes,
    view: viewOf(bytes),
    size: old.length + fresh.length,
    oldTuple: hasOld ? 0 : -1,
    oldKind: hasOld ? r.oldKind.charCodeAt(0) : 0,
    newTuple: r.action === 'D' ? -1 : old.length,
  });
  return Buffer.from(valueAt(out, 0));
}

test('the flyweight encoder writes the bytes of its slow twin, for every kind of row', () => {
  fc.assert(
    fc.property(row, (r) => {
      expect(encoded(r).toString()).toBe(encodeRecord(expected(r)).toString());
    }),
    { numRuns: 300 },
  );
});

test('decoding gives back what was encoded, digits and code points included', () => {
  fc.assert(
    fc.property(row, (r) => {
      expect(decodeRecord(encoded(r))).toEqual(expected(r));
    }),
    { numRuns: 300 },
  );
});

test('every record is valid JSON', () => {
  fc.assert(
    fc.property(row, (r) => expect(JSON.parse(encoded(r).toString())).toHaveProperty('action', r.action)),
  );
});

test('one reader over many records answers as a fresh one does, and interns equal shapes', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 2, maxLength: 8 }), (rows) => {
      const reader = new RecordReader();
      for (const r of [...rows, ...rows]) {
        const bytes = encoded(r);
        reader.read(bytes, 0, bytes.length);
        const fresh = decodeRecord(bytes);
        expect(reader.columns.count).toBe(fresh.columns?.length ?? -1);
        expect(reader.columns.columns.map((c) => c.name)).toEqual((fresh.columns ?? []).map((c) => c.name));
        expect(reader.ref).toMatchObject({ schema: fresh.schema, table: fresh.table, tableId: 't' });
        const { ref, columns } = reader;
        const shape = columns.columns;
        reader.read(bytes, 0, bytes.length);
        expect(reader.ref).toBe(ref);
        expect(reader.columns.columns).toBe(shape);
      }
    }),
  );
});

test('a cut or altered record is refused with its offset, never misread in silence or for ever', () => {
  fc.assert(
    fc.property(row, fc.nat(), (r, cut) => {
      const bytes = encoded(r);
      const short = bytes.subarray(0, cut % bytes.length);
      expect(() => decodeRecord(short)).toThrow(RecordFormatError);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
      expect(() => decodeRecord(Buffer.from(noise))).toThrow(RecordFormatError);
    }),
  );
});

test('truncations and messages are read back, inside and outside a transaction', () => {
  const encoder = new RecordEncoder(1);
  const out = new RecordBatchBuilder(16, 1);
  encoder.begin({ commitLsn: parseLsn('0/10'), commitTimeUs: 0, xid: 5 });
  const template = new TableTemplate({
    schema: 's',
    table: 't',
    tableId: 'x',
    keyColumnIds: ['x-1'],
    columns: [],
  });
  encoder.truncate(out, template, { lsnHi: 0, lsnLo: 8, seq: 4 });
  const table = { schema: 's', table: '', tableId: '', keyColumnIds: [] };
  const said = 'é "quoted"\n\u2028';
  encoder.message(out, { lsn: 9n, seq: 5, sub: 0, prefix: 'pgstream.ddl', content: said, table });
  encoder.message(out, {
    lsn: 64n,
    seq: 0,
    sub: 1,
    prefix: 'p',
    content: '',
    table,
    outsideTransaction: true,
  });
  const [truncated, message, outside] = [0, 1, 2].map((i) => decodeRecord(Buffer.from(valueAt(out, i))));
  expect(truncated).toMatchObject({ action: 'T', columns: null, identity: null, keyColumnIds: ['x-1'] });
  expect(message).toMatchObject({
    action: 'M',
    schema: '',
    table: '',
    message: { prefix: 'pgstream.ddl', content: said },
  });
  expect(message!.position).toEqual({ commitLsn: 16n, seq: 5, sub: 0 });
  expect(outside).toMatchObject({ timestamp: '', position: { commitLsn: 64n, seq: 0, sub: 1 } });
  expect(out.actions.slice(0, 3)).toEqual(Uint8Array.of(ACTION.truncate, ACTION.message, ACTION.message));
});
