import { Deadlines, type Timed } from './deadlines.ts';

class Step implements Timed<Step> {
  order: unknown = undefined;
  earlier: Step | undefined = undefined;
  later: Step | undefined = undefined;
  readonly startedAtMs = performance.now();
  readonly timeoutMs: number;
  expiredAfterMs: number[] = [];

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  expire(): void {
    this.expiredAfterMs.push(performance.now() - this.startedAtMs);
  }
}

const deadlines = new Deadlines<Step>();
beforeEach(() => jest.useFakeTimers({ advanceTimers: false }));
afterEach(() => {
  deadlines.close();
  jest.useRealTimers();
});

function begun(timeoutMs: number): Step {
  const step = new Step(timeoutMs);
  deadlines.add(step);
  return step;
}

test('each ends after its own time, however many have the same', () => {
  const first = begun(1_000);
  jest.advanceTimersByTime(600);
  const second = begun(1_000);
  const short = begun(100);
  jest.advanceTimersByTime(5_000);
  expect(first.expiredAfterMs).toEqual([1_000]);
  expect(second.expiredAfterMs).toEqual([1_000]);
  expect(short.expiredAfterMs).toEqual([100]);
  expect(deadlines.all()).toEqual([]);
});

test('what ended in time is not told, and one that begins after a rest has its whole time', () => {
  const first = begun(1_000);
  jest.advanceTimersByTime(900);
  deadlines.delete(first);
  const second = begun(1_000);
  jest.advanceTimersByTime(999);
  expect(first.expiredAfterMs).toEqual([]);
  expect(second.expiredAfterMs).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(second.expiredAfterMs).toEqual([1_000]);
});

test('one that begins while another expires has its time too', () => {
  const late: Step[] = [];
  const first = begun(50);
  jest.spyOn(first, 'expire').mockImplementation(() => void late.push(begun(50)));
  jest.advanceTimersByTime(200);
  expect(late[0]?.expiredAfterMs).toEqual([50]);
});

test('after the end nobody is told', () => {
  const first = begun(50);
  deadlines.close();
  jest.advanceTimersByTime(200);
  expect(first.expiredAfterMs).toEqual([]);
});
