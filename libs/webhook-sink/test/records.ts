import {
  encodeRecord,
  RecordBatchBuilder,
  type ChangeRecord,
  type Lsn,
  type RecordBatch,
  type RecordColumn,
  type RecordValue,
} from '@pgstream/wal-event';

/** `column('id', 1)`: numbers become literals, as they are in the log. */
export function column(name: string, value: string | boolean | number | null): RecordColumn {
  const stored: RecordValue = typeof value === 'number' ? { raw: String(value) } : value;
  return { id: `t-${name}`, name, type: typeof value === 'number' ? 'bigint' : 'text', value: stored };
}

/** An INSERT of `app.orders`, key `id`, at transaction `n`, with the members of `changes` in place. */
export function change(n: number, changes: Partial<ChangeRecord> = {}): ChangeRecord {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made up
  const lsn = BigInt(n * 8) as Lsn;
  return {
    action: 'I',
    timestamp: '2026-11-21 09:14:10.325235+00',
    position: { commitLsn: lsn, seq: 0, sub: 1 },
    epoch: 1,
    xid: n,
    lsn,
    schema: 'app',
    table: 'orders',
    columns: [column('id', n)],
    identity: null,
    tableId: 't',
    keyColumnIds: ['t-id'],
    unchanged: [],
    snapshot: false,
    ...changes,
  };
}

/** The record of a schema change. */
export function ddl(n: number, schema: string): ChangeRecord {
  return change(n, {
    action: 'M',
    schema: '',
    table: '',
    columns: null,
    tableId: '',
    keyColumnIds: null,
    message: {
      prefix: 'pgstream.ddl',
      content: JSON.stringify({
        ddl: 'ALTER TABLE t ADD c int',
        schema_name: schema,
        command_tag: 'ALTER TABLE',
      }),
    },
  });
}

/** A batch of transactions `n` (which commit at `8 n`), each of so many changes. */
export function batchOf(...transactions: readonly (readonly [n: number, changes: number])[]): RecordBatch {
  const batch = new RecordBatchBuilder(1024);
  batch.epoch = 1;
  for (const [n, changes] of transactions) {
    for (let seq = 0; seq < changes; seq++) {
      const record = change(n);
      const { commitLsn } = record.position;
      const bytes = encodeRecord({ ...record, position: { commitLsn, seq, sub: 1 } });
      batch.reserve(bytes.length);
      bytes.copy(batch.bytes, batch.length);
      const table = { schema: 'app', table: 'orders', tableId: 't', keyColumnIds: ['t-id'] };
      batch.push(
        { action: 0x49, commitLsn, seq, sub: 1, commitTimeMs: 5, table },
        batch.length + bytes.length,
      );
    }
  }
  return batch;
}
