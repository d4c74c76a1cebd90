import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
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
  await waitFor(
    'the commits',
    async () => (await topic.committed(1)) === 60 && (await topic.committed(2)) === 50,
  );
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

test('a member that is killed loses nothing: the next one begins where its commits end', async () => {
  topic = await TestTopic.create(1);
  await topic.sendRows(0, 1, 10);
  const child = spawn(
    process.execPath,
    [
      '--conditions=@pgstream/source',
      join(__dirname, 'consume-until-killed.ts'),
      topic.name,
      topic.groupId,
      '10',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  await waitFor('the commit', async () => (await topic.committed(0)) === 10);
  await topic.sendRows(0, 11, 20);
  await lines.next();
  child.kill('SIGKILL');
  const next = run();
  const rows = await next.rowsOf(0, 10);
  expect(rows).toEqual(range(11, 20));
});

test('members share the partitions; when one leaves, the other goes on where its commits end', async () => {
  topic = await TestTopic.create(4);
  const first = run();
  await waitFor('all partitions', () => first.source.lanes.length === 4);
  for (const lane of [0, 1, 2, 3]) await topic.sendRows(lane, 1, 10);
  await first.until(40);
  const second = run();
  await waitFor('two each', () => first.source.lanes.length === 2 && second.source.lanes.length === 2);
  for (const lane of [0, 1, 2, 3]) await topic.sendRows(lane, 11, 20);
  await waitFor('both to read', () => first.count() + second.count() === 80);
  await second.stop();
  await waitFor('all partitions again', () => first.source.lanes.length === 4);
  for (const lane of [0, 1, 2, 3]) await topic.sendRows(lane, 21, 30);
  await waitFor('the rest', () => first.count() + second.count() === 120);
  for (const lane of [0, 1, 2, 3]) {
    const all = [...(first.rows.get(lane) ?? []), ...(second.rows.get(lane) ?? [])];
    expect(all.toSorted((a, b) => a - b)).toEqual(range(1, 30));
  }
});

test('a rebalance waits for what is in flight and commits it', async () => {
  topic = await TestTopic.create(2);
  await topic.sendRows(0, 1, 10);
  await topic.sendRows(1, 1, 10);
  const first = run({ hold: () => true });
  await first.until(20);
  const asked: number[] = [];
  const finished = new AbortController();
  first.source.onRevoke(async (lane) => {
    asked.push(lane);
    await waitFor('the end', () => finished.signal.aborted);
  });
  const second = run();
  await waitFor('the rebalance', () => asked.length === 2);
  expect([await topic.committed(0), await topic.committed(1), second.count()]).toEqual([-1, -1, 0]);
  first.release();
  finished.abort();
  await waitFor('one each', () => first.source.lanes.length === 1 && second.source.lanes.length === 1);
  expect([await topic.committed(0), await topic.committed(1), second.count()]).toEqual([10, 10, 0]);
});

test('a group that begins at the end of the log begins there for every member', async () => {
  topic = await TestTopic.create(1);
  await topic.sendRows(0, 1, 5);
  const first = run({ startFrom: 'latest', hold: () => true });
  await waitFor('the commit', async () => (await topic.committed(0)) === 5);
  await topic.sendRows(0, 6, 10);
  await first.until(5);
  await first.stop();
  const second = run({ startFrom: 'latest' });
  await second.until(5);
  expect(second.rows.get(0)).toEqual(range(6, 10));
});

test('a partition that comes back waits until its old batches are out of the way', async () => {
  topic = await TestTopic.create(2);
  await topic.sendRows(0, 1, 10);
  await topic.sendRows(1, 1, 10);
  const told: number[] = [];
  const first = run({
    hold: () => true,
    drainTimeoutMs: 100,
    onAssigned: (lanes) => told.push(...lanes.map(({ partition }) => partition)),
  });
  await first.until(20);
  let atEnd: unknown;
  first.source.onRevoke(async () => {
    // A sink that needs longer than the rebalance does
    await new Promise((resolve) => {
      setTimeout(resolve, 4_000);
    });
    atEnd = { batches: first.count(), told: told.length, lanes: first.source.lanes.length };
  });
  const second = run();
  await second.until(10);
  await first.until(30);
  // It has come back by then; whoever was told of it would take it for the one that goes.
  expect(atEnd).toEqual({ batches: 20, told: 2, lanes: 1 });
  expect(told).toHaveLength(3);
}, 30_000);

test('what a lost partition still confirms is not committed', async () => {
  topic = await TestTopic.create(2);
  await topic.sendRows(0, 1, 10);
  await topic.sendRows(1, 1, 10);
  const first = run({ hold: () => true, drainTimeoutMs: 100 });
  await first.until(20);
  const stale = first.held.splice(0);
  const second = run({ hold: () => true });
  await waitFor('one each', () => first.source.lanes.length === 1 && second.source.lanes.length === 1);
  await second.until(10); // read again, for the first has not confirmed it
  for (const { batch, checkpoint } of stale) await first.source.confirm(batch.lane, checkpoint);
  await first.source.flush();
  // Not for the lane that came back either: what was handed out before belongs to an ownership that is over.
  expect([await topic.committed(0), await topic.committed(1)]).toEqual([-1, -1]);
});

test('a record that is none is parked with its place, and the others go on', async () => {
  topic = await TestTopic.create(1);
  await topic.send([
    { value: record(1), partition: 0 },
    { value: Buffer.from('{"action":"?"'), partition: 0 },
    { value: null, partition: 0 },
    { value: record(2), partition: 0 },
  ]);
  const member = run();
  expect(await member.rowsOf(0, 2)).toEqual([1, 2]);
  expect(member.letters.map(({ code, identity }) => [code, identity])).toEqual([
    ['RECORD_UNDECODABLE', '0/1'],
    ['RECORD_UNDECODABLE', '0/2'],
  ]);
  expect(member.letters[0]?.record?.toString()).toBe('{"action":"?"');
  await waitFor('the commit', async () => (await topic.committed(0)) === 4);
});

test('a record that came before is skipped, by the next member too; a replay asked for is not', async () => {
  topic = await TestTopic.create(1);
  await topic.sendRows(0, 1, 5);
  await topic.sendRows(0, 3, 7);
  const first = run();
  expect(await first.rowsOf(0, 7)).toEqual(range(1, 7));
  await waitFor('the commit', async () => (await topic.committed(0)) === 10);
  await first.stop();
  await topic.sendRows(0, 6, 8);
  const second = run();
  expect(await second.rowsOf(0, 1)).toEqual([8]);
  expect(second.source.counts.duplicates).toBe(2);
  await waitFor('the commit', async () => (await topic.committed(0)) === 13);
  await second.stop();
  await topic.setOffset(0, 0);
  const third = run();
  expect(await third.rowsOf(0, 8)).toEqual(range(1, 8));
});

test('a newer epoch starts the positions over', async () => {
  topic = await TestTopic.create(1);
  await topic.sendRows(0, 5, 6);
  await topic.send([
    { value: Buffer.from(record(2).toString().replace('"epoch":1', '"epoch":2')), partition: 0 },
  ]);
  await topic.sendRows(0, 7, 7);
  await topic.send([
    { value: Buffer.from(record(3).toString().replace('"epoch":1', '"epoch":2')), partition: 0 },
  ]);
  const member = run();
  expect(await member.rowsOf(0, 4)).toEqual([5, 6, 2, 3]);
});

test('heartbeats are no records, yet the offset passes them', async () => {
  topic = await TestTopic.create(1);
  const headers = { 'pgstream-kind': 'heartbeat' };
  await topic.send([{ value: Buffer.from('{}'), partition: 0, headers }]);
  const member = run();
  await waitFor('the commit', async () => (await topic.committed(0)) === 1);
  await topic.sendRows(0, 1, 1);
  expect(await member.rowsOf(0, 1)).toEqual([1]);
  expect(member.letters).toEqual([]);
});

test('a heartbeat does not carry the offset past records that are not confirmed', async () => {
  topic = await TestTopic.create(1);
  await topic.sendRows(0, 1, 5);
  const member = run({ hold: () => true });
  await member.until(5);
  await topic.send([{ value: Buffer.from('{}'), partition: 0, headers: { 'pgstream-kind': 'heartbeat' } }]);
  await waitFor('the heartbeat', () => member.source.counts.heartbeats === 1);
  await member.source.flush();
  expect(await topic.committed(0)).toBe(-1);
  member.release();
  await waitFor('the commit', async () => (await topic.committed(0)) === 6);
});

test('a record waits until the partition that it comes from is durable up to the offset it names', async () => {
  topic = await TestTopic.create(2);
  await topic.sendRows(0, 1, 3);
  const headers = { 'pgstream-after': JSON.stringify([{ partition: 0, offset: 2 }]) };
  await topic.send([
    { value: record(1), partition: 1 },
    { value: record(4), partition: 1, headers },
    { value: record(5), partition: 1 },
  ]);
  const member = run({ hold: (lane) => lane === 0 });
  await member.until(4);
  await waitFor('the commit before the wait', async () => (await topic.committed(1)) === 1);
  expect(member.rows.get(1)).toEqual([1]);
  member.release();
  expect(await member.rowsOf(1, 3)).toEqual([1, 4, 5]);
});

test('a hand-off waits for a partition that another member owns', async () => {
  topic = await TestTopic.create(2);
  await topic.sendRows(0, 1, 3);
  await topic.sendRows(1, 1, 3);
  const members = [
    run({ hold: () => true, drainTimeoutMs: 50 }),
    run({ hold: () => true, drainTimeoutMs: 50 }),
  ];
  await waitFor('one each', () => members.every(({ source }) => source.lanes.length === 1));
  const owner = members.find(({ source }) => source.lanes[0] === 0)!;
  const waiter = members.find(({ source }) => source.lanes[0] === 1)!;
  await owner.rowsOf(0, 3);
  const headers = { 'pgstream-after': JSON.stringify([{ partition: 0, offset: 2 }]) };
  await topic.send([{ value: record(9), partition: 1, headers }]);
  await waitFor('the wait', () => waiter.source.counts.handOffs === 1);
  expect(waiter.rows.get(1)).not.toContain(9);
  owner.release();
  await waitFor('the record', () => waiter.rows.get(1)?.includes(9) === true);
});

test('a topic that does not exist is named', async () => {
  topic = await TestTopic.create(1);
  const member = run({ topic: 'no-such-topic' });
  await waitFor('the failure', () => member.failure !== undefined);
  expect(member.failure).toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
});

test('a group that retention overtook halts and names the gap, or goes on where it is told to', async () => {
  topic = await TestTopic.create(1);
  await topic.sendRows(0, 1, 10);
  await topic.setOffset(0, 2);
  await topic.deleteRecordsBefore(0, 6);
  const halted = run();
  await waitFor('the failure', () => halted.failure !== undefined);
  expect(halted.failure).toMatchObject({
    code: 'KAFKA_OFFSETS_LOST',
    facts: { partition: 0, from: 2, to: 6 },
  });
  await halted.stop();
  const member = run({ onOffsetsLost: 'start-of-log' });
  expect(await member.rowsOf(0, 4)).toEqual(range(7, 10));
});

test('a log shorter than what the group has read is another log', async () => {
  topic = await TestTopic.create(1);
  await topic.sendRows(0, 1, 3);
  await topic.setOffset(0, 9);
  const member = run();
  await waitFor('the failure', () => member.failure !== undefined);
  expect(member.failure).toMatchObject({ code: 'KAFKA_TOPIC_RECREATED' });
});

test('no more bytes are handed out than may be in flight', async () => {
  topic = await TestTopic.create(1);
  for (let n = 0; n < 40; n++) await topic.sendRows(0, n * 250 + 1, n * 250 + 250);
  const maxInFlightBytes = 1024 * 1024;
  const member = run({ hold: () => true, maxInFlightBytes, maxPartitionBytes: 64 * 1024 });
  await waitFor('a full budget', () => member.source.inFlightBytes >= maxInFlightBytes);
  await expect(waitFor('more', () => member.count() >= 10_000, 1_000)).rejects.toThrow('waited');
  member.release();
  await member.until(10_000);
  expect(await member.rowsOf(0, 10_000)).toEqual(range(1, 10_000));
});
