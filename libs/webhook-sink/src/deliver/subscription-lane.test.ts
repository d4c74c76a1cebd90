import { encodeRecord } from '@pgstream/wal-event';
import { change } from '../../test/records.ts';
import { EventBudget, LogEvent } from './log-event.ts';
import { DEFAULT_LIMITS } from './delivery-context.ts';
import { SubscriptionLane, type SubscriptionLaneOptions } from './subscription-lane.ts';

const budget = new EventBudget(1_000_000);
const eventAt = (offset: number) =>
  new LogEvent({ offset, commitTimeMs: 0, origin: 't' }, encodeRecord(change(offset + 1)), budget);

/** Attached, with room for two events; what it does with them is up to the test. */
function laneOf(): SubscriptionLane {
  const options = {
    context: {
      topic: 't',
      budget,
      limits: { ...DEFAULT_LIMITS, maxWindowEvents: 2 },
      observer: {},
      onProgress: () => {},
    },
    endpoint: {
      subscription: { id: 's', ordering: 'key' },
      circuitState: 'closed',
      add: () => {},
      remove: () => {},
      wake: () => {},
    },
    partition: 0,
    cursor: { nextOffset: 0, ahead: [], generation: 1 },
    parked: [],
    liveNext: () => 0,
    parkedCount: () => 0,
    maySend: () => true,
    onFailed: () => {},
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a lane uses that neither feeds nor parks
  return new SubscriptionLane(options as unknown as SubscriptionLaneOptions);
}

/** Full, and somebody waits for room for longer than any test takes. */
function fullLane() {
  const lane = laneOf();
  for (const offset of [0, 1]) lane.offer(eventAt(offset));
  const woken: string[] = [];
  const waiting = lane.progress(600_000).then(() => void woken.push('woken'));
  return { lane, woken, waiting };
}

test('who waits for room is not woken by what is settled, and is by the room that comes with its cursor', async () => {
  const { lane, woken, waiting } = fullLane();
  for (const _ of [0, 1]) lane.lane.settled(lane.lane.take()!);
  await Promise.resolve();
  expect([lane.hasRoom, woken]).toEqual([false, []]);
  lane.lane.stored(lane.lane.place);
  await waiting;
  expect(woken).toEqual(['woken']);
});

test('it is woken by a lane that is stopped', async () => {
  const { lane, woken, waiting } = fullLane();
  await lane.stop(AbortSignal.abort());
  await waiting;
  expect(woken).toEqual(['woken']);
});
