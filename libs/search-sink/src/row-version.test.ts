import fc from 'fast-check';
import { RecordBatchBuilder } from '@pgstream/wal-event';
import { RowVersion } from './row-version.ts';
import { documentVersion } from './version.ts';

const rows = fc.array(
  fc.record({
    lsn: fc.oneof(fc.bigInt(0n, 3n), fc.bigInt(0n, 2n ** 54n), fc.bigInt(2n ** 32n - 2n, 2n ** 32n + 2n)),
    seq: fc.oneof(fc.nat(3), fc.nat(10_000)),
  }),
  { maxLength: 40 },
);

function batchOf(builder: RecordBatchBuilder, entries: ReadonlyArray<{ lsn: bigint; seq: number }>) {
  builder.reset();
  const table = { schema: 's', table: 't', tableId: 't', keyColumnIds: [] };
  for (const { lsn: commitLsn, seq } of entries)
    builder.push({ action: 0, commitLsn, seq, sub: 1, commitTimeMs: 0, table }, builder.length);
  return builder;
}

function theirs(lsn: bigint, seq: number): bigint {
  return lsn * 7n + BigInt(seq);
}

test('it is what the function says for every row, in whatever order, in batches that are used again and grow', () => {
  const builder = new RecordBatchBuilder(16, 4);
  for (const versionOf of [documentVersion, theirs]) {
    const version = new RowVersion(versionOf);
    fc.assert(
      fc.property(rows, (entries) => {
        const batch = batchOf(builder, entries);
        const found = entries.map((_, at) => {
          version.set(batch, at);
          return [version.value, version.text];
        });
        expect(found).toEqual(entries.map(({ lsn, seq }) => [versionOf(lsn, seq), `${versionOf(lsn, seq)}`]));
      }),
    );
  }
});
