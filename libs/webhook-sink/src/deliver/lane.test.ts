import { encodeRecord, type ChangeRecord } from '@pgstream/wal-event';
import { change, column } from '../../test/records.ts';
import { EventBudget, LogEvent } from './log-event.ts';
import { Lane } from './lane.ts';
import type { LaneEvent, LaneOptions } from './lane-options.ts';

const budget = new EventBudget(1_000_000);
const eventAt = (offset: number, record: ChangeRecord) =>
  new LogEvent({ offset, commitTimeMs: 0, origin: 't' }, encodeRecord(record), budget);
const row = (offset: number, id: number) => eventAt(offset, change(offset, { columns: [column('id', id)] }));

const laneOptions: LaneOptions = {
  partition: 0,
  cursor: 0,
  ordering: 'key',
  maxEvents: 4,
  maxBytes: 1_000_000,
  isParked: () => false,
  onParked: () => {},
  onChange: () => {},
};
function laneOf(parked: readonly string[] = [], onParked: (entry: LaneEvent) => void = () => {}) {
  const isParked = (event: LogEvent) => event.keys('key').some((key) => parked.includes(key));
  return new Lane({ ...laneOptions, isParked, onParked });
}
const taken = (lane: Lane): LaneEvent[] => {
  const entry = lane.take();
  return entry === undefined ? [] : [entry, ...taken(lane)];
};
const offsets = (entries: readonly LaneEvent[]) => entries.map(({ event }) => event.offset);

test('rows go at once, events of one row one after the other; the cursor follows the oldest', () => {
  const lane = laneOf();
  lane.offer(row(0, 1));
  lane.offer(row(1, 1));
  lane.offer(row(2, 2));
  const [first, other] = taken(lane);
  expect(offsets([first!, other!])).toEqual([0, 2]);
  lane.settled(other!);
  expect([lane.cursor, taken(lane)]).toEqual([0, []]);
  lane.settled(first!);
  expect([lane.cursor, offsets(taken(lane))]).toEqual([1, [1]]);
});

test('a TRUNCATE waits for everything before it, and everything behind it waits', () => {
  const lane = laneOf();
  lane.offer(row(0, 1));
  lane.offer(eventAt(1, change(1, { action: 'T', columns: null })));
  lane.offer(row(2, 2));
  const [first] = taken(lane);
  expect(taken(lane)).toEqual([]);
  lane.settled(first!);
  const [truncate] = taken(lane);
  expect([truncate?.event.offset, taken(lane)]).toEqual([1, []]);
  lane.settled(truncate!);
  expect(offsets(taken(lane))).toEqual([2]);
});

test('a changed key waits for both rows', () => {
  const lane = laneOf();
  lane.offer(row(0, 1));
  lane.offer(row(1, 2));
  lane.offer(eventAt(2, change(2, { action: 'U', identity: [column('id', 1)], columns: [column('id', 2)] })));
  const [one, two] = taken(lane);
  lane.settled(one!);
  expect(taken(lane)).toEqual([]);
  lane.settled(two!);
  expect(offsets(taken(lane))).toEqual([2]);
});

test('what is settled beyond the cursor counts for the window, and is not sent again when it is read again', async () => {
  const lane = laneOf();
  for (const offset of [0, 1, 2, 3]) lane.offer(row(offset, offset));
  const entries = taken(lane);
  lane.settled(entries[1]!);
  lane.settled(entries[3]!);
  expect(lane.hasRoom).toBe(false);
  const dropped = lane.drop();
  lane.failed(entries[0]!, 1_000);
  lane.failed(entries[2]!, 1_000);
  await dropped;
  expect([lane.offered, lane.unsettled, lane.bytes]).toEqual([0, 0, 0]);
  for (const offset of [0, 1, 2, 3]) lane.offer(row(offset, offset));
  const again = taken(lane);
  expect(offsets(again)).toEqual([0, 2]);
  for (const entry of again) lane.settled(entry);
  expect(lane.cursor).toBe(4);
});

test('what is settled and not stored leaves no room: after a crash all of it would come again', () => {
  let changes = 0;
  const lane = new Lane({ ...laneOptions, onChange: () => changes++ });
  for (const offset of [0, 1, 2, 3]) lane.offer(row(offset, offset));
  const entries = taken(lane);
  for (const entry of entries.slice(0, 2)) lane.settled(entry);
  expect([lane.cursor, lane.hasRoom, lane.isStoreDue]).toEqual([2, false, true]);
  const before = changes;
  lane.stored({ cursor: 2, aheadCount: 0 });
  expect([lane.storedCursor, lane.hasRoom, lane.isStoreDue, changes]).toEqual([2, true, false, before + 1]);
  lane.offer(row(4, 4));
  lane.offer(row(5, 5));
  expect(lane.hasRoom).toBe(false);
});

test('what was let go of unsettled counts once it is offered again, and not twice', async () => {
  const lane = laneOf();
  for (const offset of [0, 1, 2]) lane.offer(row(offset, offset));
  const entries = taken(lane);
  lane.settled(entries[1]!);
  const dropped = lane.drop();
  lane.failed(entries[0]!, 1_000);
  lane.failed(entries[2]!, 1_000);
  await dropped;
  for (const offset of [0, 1, 2]) lane.offer(row(offset, offset));
  expect(lane.hasRoom).toBe(true);
  lane.offer(row(3, 3));
  expect(lane.hasRoom).toBe(false);
});

test('what was settled beyond the cursor is not sent again however often the window is dropped', async () => {
  const lane = laneOf();
  for (const offset of [0, 1, 2, 3]) lane.offer(row(offset, offset));
  let [first, ...others] = taken(lane);
  for (const entry of others) lane.settled(entry);
  for (const _ of ['the circuit opens', 'its first probe fails', 'its second probe fails']) {
    const dropped = lane.drop();
    lane.failed(first!, 1_000);
    // oxlint-disable-next-line no-await-in-loop -- one probe after the other
    await dropped;
    for (const offset of [0, 1, 2, 3]) lane.offer(row(offset, offset));
    [first, ...others] = taken(lane);
    expect([first?.event.offset, others, lane.isStoreDue]).toEqual([0, [], false]);
  }
  lane.settled(first!);
  lane.stored(lane.place);
  expect([lane.cursor, lane.hasRoom, lane.isStoreDue]).toEqual([4, true, false]);
});

test('what was settled beyond the cursor by whoever had the partition before is not sent, and its rows go on behind it', () => {
  const lane = new Lane({ ...laneOptions, ahead: [1, 2] });
  expect([lane.isUnstored, lane.place.ahead]).toEqual([false, [1, 2]]);
  lane.offer(row(0, 0));
  for (const offset of [1, 2]) lane.offer(row(offset, 7));
  lane.offer(row(3, 7));
  const [first, third] = taken(lane);
  expect(offsets([first!, third!])).toEqual([0, 3]);
  lane.settled(third!);
  expect([lane.cursor, lane.isUnstored, lane.place.ahead]).toEqual([0, true, [1, 2, 3]]);
  lane.stored(lane.place);
  expect(lane.isUnstored).toBe(false);
  lane.settled(first!);
  expect([lane.cursor, lane.isUnstored, lane.place.ahead]).toEqual([4, true, []]);
});

test('an answer that comes while what is settled ahead is being stored is to be stored too', () => {
  const lane = laneOf();
  for (const offset of [0, 1, 2]) lane.offer(row(offset, offset));
  const [, second, third] = taken(lane);
  lane.settled(second!);
  const { place } = lane;
  lane.settled(third!);
  lane.stored(place);
  expect([lane.isUnstored, lane.place.ahead]).toEqual([true, [1, 2]]);
});

test('an event that is offered once more is the one that it was', () => {
  const lane = laneOf();
  lane.offer(row(0, 1));
  lane.offer(row(1, 1));
  lane.offer(row(0, 1));
  expect(lane.offered).toBe(2);
  const [first] = taken(lane);
  lane.settled(first!);
  const [second] = taken(lane);
  lane.settled(second!);
  expect([first?.event.offset, second?.event.offset, lane.unsettled, lane.bytes]).toEqual([0, 1, 0, 0]);
});

test('an event of a parked row is parked too, and nothing is held after all is settled', () => {
  const parked: string[] = [];
  const joined: LaneEvent[] = [];
  const lane = laneOf(parked, (entry) => void joined.push(entry));
  lane.offer(row(0, 1));
  lane.offer(row(1, 1));
  const [first] = taken(lane);
  parked.push(...first!.event.keys('key'));
  lane.settled(first!);
  expect([offsets(joined), taken(lane)]).toEqual([[1], []]);
  lane.settled(joined[0]!);
  expect([lane.cursor, lane.unsettled, lane.bytes]).toEqual([2, 0, 0]);
});

test('while the window is let go of nothing is parked of it; it is once it is offered again', async () => {
  const parked: string[] = [];
  const joined: LaneEvent[] = [];
  const lane = laneOf(parked, (entry) => void joined.push(entry));
  lane.offer(row(0, 1));
  lane.offer(row(1, 1));
  const [first] = taken(lane);
  const dropped = lane.drop();
  parked.push(...first!.event.keys('key'));
  lane.settled(first!);
  await dropped;
  expect([offsets(joined), lane.offered, lane.unsettled]).toEqual([[], 1, 0]);
  lane.offer(row(1, 1));
  expect([offsets(joined), taken(lane)]).toEqual([[1], []]);
});

test('a lane that is closed holds nothing, and its cursor stands still whatever comes afterwards', () => {
  const own = new EventBudget(1_000_000);
  const held = (offset: number, id: number) =>
    new LogEvent(
      { offset, commitTimeMs: 0, origin: 't' },
      encodeRecord(change(offset, { columns: [column('id', id)] })),
      own,
    );
  const lane = laneOf();
  for (const offset of [0, 1, 2]) lane.offer(held(offset, offset));
  const [first, second] = taken(lane);
  lane.settled(first!);
  expect([lane.cursor, own.heldBytes > 0]).toEqual([1, true]);
  lane.close();
  expect([lane.cursor, own.heldBytes, lane.bytes, lane.unsettled]).toEqual([1, 0, 0, 0]);
  lane.settled(second!); // its answer came late
  lane.pass(9);
  lane.offer(held(9, 9));
  expect([lane.cursor, own.heldBytes, lane.hasReady, lane.take()]).toEqual([1, 0, false, undefined]);
});

test('a lane that is closed does not try again what had failed', () => {
  jest.useFakeTimers();
  const parkedAgain: number[] = [];
  const lane = laneOf(['anything'], ({ event }) => parkedAgain.push(event.offset));
  lane.offer(row(0, 1));
  const [entry] = taken(lane);
  lane.failed(entry!, 50);
  lane.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const moved = (offset: number, from: number, to: number) =>
  eventAt(
    offset,
    change(offset, { action: 'U', columns: [column('id', to)], identity: [column('id', from)] }),
  );

test('an event of two rows goes when it is the next of both, and what waits for either goes after it', () => {
  const lane = laneOf();
  lane.offer(row(0, 1));
  lane.offer(row(1, 2));
  lane.offer(moved(2, 1, 2));
  lane.offer(row(3, 1));
  const [one, two, ...none] = taken(lane);
  expect(offsets([one!, two!, ...none])).toEqual([0, 1]);
  lane.settled(one!);
  expect(taken(lane)).toEqual([]);
  lane.settled(two!);
  const [both] = taken(lane);
  expect(both?.event.offset).toBe(2);
  lane.settled(both!);
  expect(offsets(taken(lane))).toEqual([3]);
});
