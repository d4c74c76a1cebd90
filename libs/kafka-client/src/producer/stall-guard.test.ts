import { StallGuard } from './stall-guard.ts';

afterEach(() => jest.useRealTimers());

test('a process that ticks may write; one that stood still may not, however often it ticks afterwards', () => {
  jest.useFakeTimers({ now: 1_000_000 });
  const guard = new StallGuard(1000);
  for (let i = 0; i < 5; i += 1) {
    jest.advanceTimersByTime(900);
    guard.tick();
    expect(() => guard.check()).not.toThrow();
  }
  jest.advanceTimersByTime(1001);
  expect(() => guard.check()).toThrow('KAFKA_PRODUCER_STALLED');
  guard.tick();
  expect(() => guard.check()).toThrow('KAFKA_PRODUCER_STALLED');
});

test('the first to run after a pause may be the tick', () => {
  jest.useFakeTimers({ now: 1_000_000 });
  const guard = new StallGuard(1000);
  jest.advanceTimersByTime(5000);
  guard.tick();
  expect(() => guard.check()).toThrow('KAFKA_PRODUCER_STALLED');
});
