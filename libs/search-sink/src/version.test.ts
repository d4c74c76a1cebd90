import { documentVersion } from './version.ts';

test('versions grow along a transaction and from one to the next, and fit 63 bits at 16 PiB of WAL', () => {
  expect(documentVersion(16n, 0)).toBe(2n * 4096n);
  expect(documentVersion(16n, 1) > documentVersion(16n, 0)).toBe(true);
  expect(documentVersion(24n, 0) > documentVersion(16n, 1_000_000)).toBe(true);
  expect(documentVersion(2n ** 54n - 8n, 4095) < 2n ** 63n).toBe(true);
});
