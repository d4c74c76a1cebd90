import { formatBytes, formatDuration, parseBytes, parseDurationMs } from './units.ts';

test.each([
  ['1572864', 1_572_864],
  ['64MiB', 67_108_864],
  ['1.5MiB', 1_572_864],
  ['10 kb', 10_000],
  ['0', 0],
])('%s is %d bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each(['', '12abc', '-1', '1.5', '64 MiBs', '9999999999GiB'])('%j is no size', (text) => {
  expect(() => parseBytes(text)).toThrow(RangeError);
});

test.each([
  ['500ms', 500],
  ['1s', 1000],
  ['1m', 60_000],
  ['1min', 60_000],
  ['1m30s', 90_000],
  ['250', 250],
  ['0', 0],
])('%s is %d ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test.each(['', 's', '1x', '-1s', '1s!', '1 s'])('%j is no duration', (text) => {
  expect(() => parseDurationMs(text)).toThrow(RangeError);
});

test('what is printed is read back as the same', () => {
  for (const bytes of [1, 1024, 1_572_864, 2 ** 30]) expect(parseBytes(formatBytes(bytes))).toBe(bytes);
  for (const ms of [1, 1000, 90_000, 3_600_000]) expect(parseDurationMs(formatDuration(ms))).toBe(ms);
});
