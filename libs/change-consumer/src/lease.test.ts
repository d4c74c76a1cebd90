import { Lease } from './lease.ts';

function setup(lastsMs: number) {
  const asked: boolean[] = [];
  const answers: Array<boolean | Error> = [];
  const isMember = async () => {
    const answer = answers.shift() ?? true;
    asked.push(answer === true);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { lease: new Lease(isMember, lastsMs), asked, answers };
}

afterEach(() => jest.restoreAllMocks());

test('an answer holds for its time, counted from before the question', async () => {
  const { lease, asked } = setup(1_000);
  let now = 5_000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  expect(await lease.holds()).toBe(true);
  now += 999;
  expect(await lease.holds()).toBe(true);
  expect(asked).toHaveLength(1);
  now += 1;
  expect(await lease.holds()).toBe(true);
  expect(asked).toHaveLength(2);
});

test('a machine that slept asks again, although its ticks stood still', async () => {
  const { lease, asked, answers } = setup(60_000);
  const slept = Date.now() + 61_000;
  await lease.holds();
  jest.spyOn(Date, 'now').mockImplementation(() => slept);
  answers.push(false);
  expect(await lease.holds()).toBe(false);
  expect(asked).toEqual([true, false]);
});

test('those who ask at the same time share one question', async () => {
  const { lease, asked } = setup(60_000);
  expect(lease.isValid).toBe(false);
  expect(await Promise.all([lease.holds(), lease.holds()])).toEqual([true, true]);
  expect([asked, lease.isValid]).toEqual([[true], true]);
});

test('a refusal and a failure are asked again the next time', async () => {
  const { lease, answers } = setup(60_000);
  answers.push(false, new Error('no coordinator'), true);
  expect(await lease.holds()).toBe(false);
  await expect(lease.holds()).rejects.toThrow('no coordinator');
  expect(await lease.holds()).toBe(true);
});

test('an answer that came too late, to a process that was stopped meanwhile, is asked for again', async () => {
  let now = 5_000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const asked: number[] = [];
  const lease = new Lease(async () => {
    asked.push(now);
    if (asked.length > 1) return false;
    now += 30_000;
    return true;
  }, 1_000);
  expect(await lease.holds()).toBe(false);
  expect(asked).toEqual([5_000, 35_000]);
});
