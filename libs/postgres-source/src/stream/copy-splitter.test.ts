import fc from 'fast-check';
import { CopySplitter } from './copy-splitter.ts';

const message = (kind: string, body: string) => {
  const header = Buffer.alloc(5);
  header.write(kind);
  header.writeUInt32BE(4 + Buffer.byteLength(body), 1);
  return Buffer.concat([header, Buffer.from(body)]);
};

/** Collects copies: the splitter reuses its bytes. */
function collector(ready: () => boolean = () => true) {
  const seen: string[] = [];
  const splitter = new CopySplitter({
    copyData: (bytes, from, to) => seen.push(`d${bytes.toString('utf8', from, to)}`),
    other: (bytes) => seen.push(bytes.toString('latin1', 0, 1) + bytes.toString('utf8', 5)),
    ready,
  });
  return { seen, splitter };
}

const kind = fc.constantFrom('d', 'd', 'd', 'N', 'c');
const body = fc.string({ maxLength: 30 });
const messages = fc.array(fc.tuple(kind, body), { maxLength: 20 });

test('however the bytes arrive, the same messages come out', () => {
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), (sent, sizes) => {
      const bytes = Buffer.concat(sent.map(([one, text]) => message(one, text)));
      const { seen, splitter } = collector();
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length]!;
        // A chunk is reused by the socket: what is kept must be a copy
        const chunk = Buffer.from(bytes.subarray(at, at + size));
        expect(splitter.feed(chunk)).toBe(true);
        chunk.fill(0xff);
        at += size;
      }
      expect(seen).toEqual(sent.map(([one, text]) => one + text));
    }),
    { numRuns: 500 },
  );
});

test('an output that is not ready stops the reading, and nothing is lost or doubled', () => {
  fc.assert(
    fc.property(
      messages,
      fc.array(fc.boolean(), { minLength: 1 }),
      fc.integer({ min: 1, max: 40 }),
      (sent, gates, size) => {
        const bytes = Buffer.concat(sent.map(([one, text]) => message(one, text)));
        let asked = 0;
        const { seen, splitter } = collector(
          () => gates.length > 1000 || gates[asked++ % gates.length] === true || asked % 7 === 0,
        );
        for (let at = 0; at < bytes.length; at += size) {
          let done = splitter.feed(bytes.subarray(at, at + size));
          for (let tries = 0; !done && tries < 10_000; tries++) done = splitter.run();
          expect(done).toBe(true);
        }
        expect(seen).toEqual(sent.map(([one, text]) => one + text));
      },
    ),
    { numRuns: 500 },
  );
});

test.each([0, 3, 0x4000_0001, 0xffff_ffff])('a length of %d is refused', (length) => {
  const bytes = message('d', 'x');
  bytes.writeUInt32BE(length, 1);
  expect(() => collector().splitter.feed(bytes)).toThrow(expect.objectContaining({ code: 'PG_PROTOCOL' }));
});
