import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { WireReader, WireWriter } from './wire.ts';

test('reads what it writes', () => {
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const uint = fc.nat({ max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(
      int32,
      uint,
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.string(),
      (a, b, c, d) => {
        const bytes = new WireWriter()
          .int32(a)
          .uvarint(b)
          .int64(c)
          .string(d)
          .string(null)
          .compactString(d)
          .finish();
        const reader = new WireReader(bytes);
        expect([reader.int32(), reader.uvarint(), reader.int64(), reader.string()]).toEqual([a, b, c, d]);
        expect([reader.string(), reader.compactString(), reader.remaining]).toEqual([null, d, 0]);
      },
    ),
  );
});

test('an answer of any bytes ends in a value or a RangeError, never in a large allocation', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(failureOf(() => readAll(new WireReader(Buffer.from(bytes))))).toMatch(/^(RangeError|none)$/);
    }),
  );
});

function readAll(reader: WireReader): void {
  reader.array(() => reader.compactArray(() => reader.string()));
  reader.skipTags();
  reader.varint();
}

function failureOf(action: () => void): string {
  try {
    action();
    return 'none';
  } catch (cause) {
    return cause instanceof Error ? cause.name : 'other';
  }
}
