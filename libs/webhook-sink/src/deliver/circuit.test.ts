import { Circuit, DEFAULT_CIRCUIT } from './circuit.ts';
import { DEFAULT_SCHEDULE, parkedWaitMs, retryWaitMs } from './schedule.ts';
import { TokenBucket } from './token-bucket.ts';
import { parseRetryAfter } from '../send/sender.ts';

test('five failures in a row open it; then one request decides, and it stays open twice as long', () => {
  const circuit = new Circuit(DEFAULT_CIRCUIT);
  const opened = [0, 1, 2, 3, 4].map((at) => circuit.failed(at));
  expect(opened).toEqual([false, false, false, false, true]);
  expect([circuit.stateAt(5_003), circuit.stateAt(5_004)]).toEqual(['open', 'half-open']);
  expect(circuit.failed(5_004)).toBe(true);
  expect([circuit.stateAt(15_003), circuit.stateAt(15_004)]).toEqual(['open', 'half-open']);
  expect([circuit.succeeded(15_004), circuit.stateAt(15_004)]).toEqual([true, 'closed']);
});

test('half of ten within a minute open it, half of nine do not', () => {
  const circuit = new Circuit(DEFAULT_CIRCUIT);
  const outcomes = Array.from({ length: 10 }, (_, at) =>
    at % 2 === 0 ? circuit.succeeded(at) : circuit.failed(at),
  );
  expect(outcomes.lastIndexOf(true)).toBe(9);
});

test('an answer to a request of before it opened does not open it again', () => {
  const circuit = new Circuit({ ...DEFAULT_CIRCUIT, maxConsecutiveFailures: 1 });
  expect([circuit.failed(0), circuit.failed(1), circuit.opensUntilMs]).toEqual([true, false, 5_000]);
});

test('a bucket gives a burst, then its rate', () => {
  const bucket = new TokenBucket(2, 0);
  expect([bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(500)]).toEqual([0, 0, 500, 0]);
});

test.each([
  ['120', 120_000],
  ['Thu, 01 Jan 1970 00:00:30 GMT', 20_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['soon', null],
  [undefined, null],
])('Retry-After: %s', (value, expected) => expect(parseRetryAfter(value, 10_000)).toBe(expected));

test('Retry-After is heard between the wait that would be and twice that', () => {
  const waits = [0, 1_500, 10 ** 9, null].map((retryAfterMs) =>
    retryWaitMs(DEFAULT_SCHEDULE, 1, { retryAfterMs }, () => 1),
  );
  expect(waits).toEqual([1_000, 1_500, 2_000, 1_000]);
});

const wait = (failures: number, status: number | null) =>
  parkedWaitMs(DEFAULT_SCHEDULE, failures, { retryAfterMs: null, status }, () => 0.5);

test('parked events wait longer each time, a minute at least after a timeout, and have an end', () => {
  expect([wait(0, 500), wait(0, null), wait(0, 429), wait(1, 500), wait(9, 500)]).toEqual([
    5_000,
    60_000,
    60_000,
    300_000,
    undefined,
  ]);
});
