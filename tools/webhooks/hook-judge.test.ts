import { judgeHooks, type Evidence } from './hook-judge.ts';
import type { SentEvent } from './hook-load.ts';
import type { Arrival } from './hook-receiver.ts';

const events: SentEvent[] = [0, 1, 2, 3].map((offset) => ({
  id: `msg_${offset}`,
  partition: 0,
  offset,
  key: offset % 2,
  version: Math.floor(offset / 2) + 1,
  operation: offset < 2 ? 'insert' : 'update',
}));
const byId = new Map(events.map((event) => [event.id, event]));
const came = (...offsets: readonly number[]): Arrival[] =>
  offsets.map((offset, at) => ({ id: `msg_${offset}`, arrivedMs: at, isAccepted: true, attempt: 1 }));
const judged = (changes: Partial<Evidence>) =>
  judgeHooks({
    name: 'one',
    owed: events,
    wants: () => true,
    byId,
    arrivals: came(0, 1, 2, 3),
    stored: [],
    windowEvents: 2,
    ...changes,
  });
const storedAt = (
  atMs: number,
  cursor: number,
  parked: readonly string[] = [],
  ahead: readonly number[] = [],
) => ({
  atMs,
  cursors: new Map([[0, cursor]]),
  ahead: new Map([[0, new Set(ahead)]]),
  parked: new Set(parked),
});

test('events that all came, in order per row and whatever the order of rows, are no violation', () => {
  expect(judged({})).toEqual([]);
  expect(judged({ arrivals: came(1, 0, 3, 2) })).toEqual([]);
});

test('a loss, a stranger and disorder are told', () => {
  expect(judged({ arrivals: came(0, 1, 3) })).toEqual([
    expect.stringContaining('1 of 4 events never came: 0/2'),
  ]);
  const refused = came(0, 1, 2, 3).map((one) => ({ ...one, isAccepted: one.id !== 'msg_3' }));
  expect(judged({ arrivals: refused })).toEqual([expect.stringContaining('never came: 0/3')]);
  expect(judged({ arrivals: came(0, 1, 2, 3, 9) })).toEqual([expect.stringContaining('nobody asked for')]);
  expect(judged({ wants: ({ operation }) => operation === 'update', owed: [] })).toEqual([
    expect.stringContaining('2 requests that nobody asked for'),
  ]);
  expect(judged({ arrivals: came(2, 1, 0, 3) })).toEqual([
    expect.stringContaining('1 events after a later one'),
  ]);
});

test('what comes again is told where the store knew it to be settled, unless it was parked', () => {
  const arrivals = came(0, 1, 2, 3, 1);
  expect(judged({ arrivals })).toEqual([]);
  expect(judged({ arrivals, stored: [storedAt(3.5, 1)] })).toEqual([]);
  expect(judged({ arrivals, stored: [storedAt(3.5, 2)] })).toEqual([
    expect.stringContaining('stored as settled'),
  ]);
  expect(judged({ arrivals, stored: [storedAt(3.5, 2, ['msg_1'])] })).toEqual([]);
  expect(judged({ arrivals, stored: [storedAt(5, 2)] })).toEqual([]);
  expect(judged({ arrivals, stored: [storedAt(3.5, 0, [], [1])] })).toEqual([
    expect.stringContaining('stored as settled'),
  ]);
  expect(judged({ arrivals, stored: [storedAt(3.5, 0, ['msg_1'], [1])] })).toEqual([]);
});

test('more than a window that comes again is told', () => {
  expect(judged({ arrivals: came(0, 1, 2, 3, 0, 1) })).toEqual([]);
  expect(judged({ arrivals: came(0, 1, 2, 3, 0, 1, 2) })).toEqual([
    expect.stringContaining('3 events of one'),
  ]);
});
