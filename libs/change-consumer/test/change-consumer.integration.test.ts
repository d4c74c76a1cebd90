import { Buffer } from 'node:buffer';
import { waitFor } from '@pgstream/test-kit';
import { range, record, Running, TestTopic } from './support.ts';

let topic: TestTopic;
let running: Running[];

beforeEach(() => {
  running = [];
});

afterEach(async () => {
  await Promise.all(running.map((member) => member.stop()));
  await topic.drop();
});

function run(options: ConstructorParameters<typeof Running>[1] = {}): Running {
  const member = new Running(topic, options);
  running.push(member);
  return member;
}

test('every partition is a lane: records come in order and what is confirmed is committed', async () => {
  topic = await TestTopic.create(3);
  for (const lane of [0, 1, 2]) await topic.sendRows(lane, 1, 50);
  const member = run();
  await member.until(150);
  await topic.sendRows(1, 51, 60);
  await member.until(160);
  expect(member.rows.get(0)).toEqual(range(1, 50));
  expect(member.rows.get(1)).toEqual(range(1, 60));
  await waitFor('the commits', async () => (await topic.committed(1)) === 60 && (await topic.committed(2)) === 50);
});

test('what is not confirmed is not committed, and comes again after a restart; the rest does not', async () => {
  topic = await TestTopic.create(2);
  await topic.sendRows(0, 1, 20);
  await topic.sendRows(1, 1, 20);
  const first = run({ hold: (lane) => lane === 1 });
  await first.until(40);
  await waitFor('the commit of lane 0', async () => (await topic.committed(0)) === 20);
  await first.stop();
  expect(await topic.committed(1)).toBe(-1);
  const second = run();
  expect(await second.rowsOf(1, 20)).toEqual(range(1, 20));
  await topic.sendRows(0, 21, 21);
  expect(await second.rowsOf(0, 1)).toEqual([21]);
});
