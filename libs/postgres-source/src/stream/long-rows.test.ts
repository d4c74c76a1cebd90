import { Buffer } from 'node:buffer';
import {
  ACTION,
  decodeRecord,
  RecordBatchBuilder,
  RecordEncoder,
  TableTemplate,
  valueAt,
  type ChangeRecord,
} from '@pgstream/wal-event';
import { PgoutputDecoder } from '../pgoutput/decoder.ts';
import { CopySplitter } from './copy-splitter.ts';

const u32 = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
const tuple = (text: string) =>
  Buffer.concat([Buffer.from([0, 1, 0x74]), u32(text.length), Buffer.from(text)]);
/** A row of one column, as a whole CopyData message. */
function message(kind: string, ...tuples: readonly (readonly [kind: string, text: string])[]): Buffer {
  const parts = tuples.flatMap(([letter, text]) => [Buffer.from(letter), tuple(text)]);
  const frame = Buffer.concat([Buffer.from('w'), Buffer.alloc(24, 1), Buffer.from(kind), u32(7), ...parts]);
  return Buffer.concat([Buffer.from('d'), u32(frame.length + 4), frame]);
}

const column = { id: 't-1', name: 'text', type: 'text', encoding: 'text' } as const;
const TEMPLATE = new TableTemplate({
  schema: 's',
  table: 't',
  tableId: 't',
  keyColumnIds: ['t-1'],
  columns: [column],
});

const none = () => undefined;

/** What the source makes of the bytes of its socket, read in these pieces. */
function records(chunks: readonly Buffer[]): ChangeRecord[] {
  const out = new RecordBatchBuilder(64);
  const encoder = new RecordEncoder(1);
  encoder.begin({ commitLsn: 1n, commitTimeUs: 1, xid: 1 });
  const decoder = new PgoutputDecoder({
    begin: none,
    commit: none,
    relation: none,
    type: none,
    truncate: none,
    message: none,
    row: (row) => encoder.row(out, TEMPLATE, row),
  });
  const splitter = new CopySplitter({
    copyData: (bytes, from, to) => decoder.decode(bytes, from, to),
    other: none,
    ready: () => true,
  });
  for (const chunk of chunks) expect(splitter.feed(chunk)).toBe(true);
  return Array.from({ length: out.count }, (_, i) => decodeRecord(Buffer.from(valueAt(out, i))));
}

/** Pieces of `size` bytes in buffers of exactly that length, as a socket gives them. */
function cut(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => Buffer.from(bytes.subarray(i * size, (i + 1) * size)));
}

describe.each([5_000, 70_000, 300_000])('a row of %i bytes', (size) => {
  const text = `"${'a'.repeat(size - 2)}\\`;
  const old = text.replaceAll('a', 'b');
  const rows = [
    { action: 'insert', bytes: message('I', ['N', text]), fresh: text, before: undefined },
    { action: 'update', bytes: message('U', ['O', old], ['N', text]), fresh: text, before: old },
    { action: 'delete', bytes: message('D', ['O', old]), fresh: undefined, before: old },
  ] as const;

  test.each(rows)('$action, the last of what was read', ({ action, bytes, fresh, before }) => {
    for (const chunks of [[bytes], cut(bytes, 65_536), cut(bytes, 1_000)]) {
      const [record] = records(chunks);
      expect(record?.action).toBe(String.fromCodePoint(ACTION[action]));
      expect(record?.columns?.[0]?.value).toBe(fresh);
      expect(record?.identity?.[0]?.value).toBe(before);
    }
  });
});
