import { Buffer } from 'node:buffer';
import type { Recording } from '@pgstream/postgres-source';

const ROWS_PER_TRANSACTION = 100;
const OID = 16_400;
const START_LSN = 0x1_0000_0000n;
const COLUMNS = [
  ['id', 20],
  ['acct', 23],
  ['delta', 23],
  ['balance', 20],
  ['ts', 1184],
] as const;

/** What a slot sends for `rows` rows of the narrow table, every other one an UPDATE, a hundred to a transaction. */
export function narrowRecording(rows: number): Recording {
  const messages: Buffer[] = [copyData(START_LSN, relation())];
  let lsn = START_LSN;
  for (let row = 0; row < rows; row++) {
    const first = row % ROWS_PER_TRANSACTION === 0;
    if (first) messages.push(copyData(lsn, begin(lsn + BigInt(ROWS_PER_TRANSACTION) * 64n, row)));
    lsn += 64n;
    messages.push(copyData(lsn, tuple(row % 2 === 0 ? 'I' : 'U', valuesOf(row))));
    if (row % ROWS_PER_TRANSACTION === ROWS_PER_TRANSACTION - 1) messages.push(copyData(lsn, commit(lsn)));
  }
  return { header: HEADER, bytes: Buffer.concat(messages) };
}

const HEADER: Recording['header'] = {
  version: 1,
  recordedAt: '2026-01-01T00:00:00.000Z',
  slot: 'micro',
  systemId: '7000000000000000001',
  timeline: 1,
  serverVersion: 170_000,
  epoch: 1,
  publications: ['micro'],
  startedAt: '1/0',
  skippedBytes: 0,
  error: { code: '', message: '', facts: {} },
  relations: [],
  lateRelations: [],
  types: [],
};

function valuesOf(row: number): string[] {
  const second = String(row % 60).padStart(2, '0');
  return [
    String(row),
    String((row * 7919) % 100_000),
    String(((row * 31) % 10_000) - 5_000),
    String(row * 123_457),
    `2026-11-21 09:14:${second}.${String((row * 977) % 1_000_000).padStart(6, '0')}+00`,
  ];
}

/** @see https://www.postgresql.org/docs/current/protocol-replication.html (XLogData) */
function copyData(lsn: bigint, message: Buffer): Buffer {
  const head = Buffer.alloc(30);
  head[0] = 0x64; // d
  head.writeInt32BE(29 + message.length, 1);
  head[5] = 0x77; // w
  head.writeBigUInt64BE(lsn, 6);
  head.writeBigUInt64BE(lsn, 14);
  return Buffer.concat([head, message]);
}

/** @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html */
function relation(): Buffer {
  const columns = COLUMNS.map(([name, type], i) =>
    Buffer.concat([Buffer.from([i === 0 ? 1 : 0]), text(name), int32(type), int32(-1)]),
  );
  const head = [Buffer.from('R'), int32(OID), text('public'), text('narrow'), Buffer.from('d')];
  return Buffer.concat([...head, int16(COLUMNS.length), ...columns]);
}

function begin(commitLsn: bigint, xid: number): Buffer {
  return Buffer.concat([Buffer.from('B'), int64(commitLsn), int64(800_000_000_000_000n), int32(1_000 + xid)]);
}

function commit(lsn: bigint): Buffer {
  const end = lsn + 48n;
  return Buffer.concat([Buffer.from('C\0'), int64(lsn), int64(end), int64(800_000_000_000_000n)]);
}

function tuple(kind: 'I' | 'U', values: readonly string[]): Buffer {
  const parts = values.map((value) =>
    Buffer.concat([Buffer.from('t'), int32(value.length), Buffer.from(value)]),
  );
  return Buffer.concat([Buffer.from(kind), int32(OID), Buffer.from('N'), int16(values.length), ...parts]);
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}
