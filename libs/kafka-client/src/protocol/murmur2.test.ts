import { Buffer } from 'node:buffer';
import { murmur2, partitionOfKey } from './murmur2.ts';

// Expected values: org.apache.kafka.common.utils.UtilsTest
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('hashes %s like the Java client', (text, expected) => {
  expect(murmur2(Buffer.from(text))).toBe(expected);
});

test('a negative hash still gives a partition', () => {
  expect(partitionOfKey(Buffer.from('21'), 12)).toBe((-973932308 & 0x7fffffff) % 12);
});
