import { livenessFor, verdict } from './liveness.ts';

test('status messages come several times per wal_sender_timeout, however short it is', () => {
  expect(livenessFor(60_000, 1000).statusIntervalMs).toBe(1000);
  expect(livenessFor(1000, 1000).statusIntervalMs).toBe(250);
  expect(livenessFor(0, 1000).statusIntervalMs).toBe(1000);
});

test('silence is asked about, and believed only after twice the timeout of the server, and a minute', () => {
  const short = livenessFor(5000, 1000);
  expect(verdict(short, 9999)).toBe('quiet');
  expect(verdict(short, 10_000)).toBe('ping');
  expect(verdict(short, 69_999)).toBe('ping');
  expect(verdict(short, 70_000)).toBe('dead');
  expect(verdict(livenessFor(120_000, 1000), 249_999)).toBe('ping');
  expect(verdict(livenessFor(0, 1000), 70_000)).toBe('dead');
});
