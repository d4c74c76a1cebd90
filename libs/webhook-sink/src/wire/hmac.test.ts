import { Buffer } from 'node:buffer';
import { createHmac, randomBytes } from 'node:crypto';
import { HmacSha256 } from './hmac.ts';

// https://www.rfc-editor.org/rfc/rfc4231#section-4: HMAC-SHA-256 of test cases 1, 2, 3, 6 and 7
const VECTORS: readonly (readonly [string, Buffer, Buffer, string])[] = [
  [
    '1',
    Buffer.alloc(20, 0x0b),
    Buffer.from('Hi There'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  ],
  [
    '2',
    Buffer.from('Jefe'),
    Buffer.from('what do ya want for nothing?'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    '3',
    Buffer.alloc(20, 0xaa),
    Buffer.alloc(50, 0xdd),
    '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
  ],
  [
    '6, a key of more than a block',
    Buffer.alloc(131, 0xaa),
    Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
  [
    '7, a key and data of more than a block',
    Buffer.alloc(131, 0xaa),
    Buffer.from(
      'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  ],
];

test.each(VECTORS)('the digest of test case %s of RFC 4231', (_which, key, data, digest) => {
  expect(Buffer.from(new HmacSha256(key).of('', data), 'base64').toString('hex')).toBe(digest);
});

test('it is what node:crypto says, for two keys in turns, bodies of any size and heads of any script', () => {
  const keys = [randomBytes(32), randomBytes(64)];
  const hmacs = keys.map((key) => new HmacSha256(key));
  const sizes = [0, 1, 63, 64, 65, 4000, 65_400, 65_535, 65_536, 65_537, 1_000_000, 12, 300_000, 0];
  for (const head of ['', 'msg_1.2-3.1700000000.', 'Größe 値 🦣.']) {
    for (const size of sizes) {
      const body = randomBytes(size);
      const expected = keys.map((key) =>
        createHmac('sha256', key).update(head).update(body).digest('base64'),
      );
      expect(hmacs.map((hmac) => hmac.of(head, body))).toEqual(expected);
    }
  }
});
