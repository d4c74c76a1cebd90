import type { Attempted } from '../store/attempt-store.ts';
import { AttemptLog } from './attempt-log.ts';

const attempt = (offset: number, changes: Partial<Attempted> = {}): Attempted => ({
  subscriptionId: 's',
  partition: 0,
  offset,
  eventId: `msg_${offset}`,
  attempt: 1,
  outcome: 'event',
  status: 422,
  reason: 'answered 422',
  durationMs: 1,
  atMs: offset,
  ...changes,
});

test('between two writes it keeps the newest failures and one success of each subscription, whatever comes', async () => {
  const written: Attempted[][] = [];
  const log = new AttemptLog({
    add: (rows) => Promise.resolve(void written.push([...rows])),
    intervalMs: 60_000,
  });
  for (let i = 0; i < 1_000; i++) {
    log.note(attempt(2 * i));
    log.note(attempt(2 * i + 1, { outcome: 'delivered', status: 200 }));
  }
  log.note(attempt(5, { subscriptionId: 'other' }));
  await log.flush();
  const [rows = []] = written;
  const own = rows.filter(({ subscriptionId }) => subscriptionId === 's').map(({ offset }) => offset);
  expect(own).toEqual([...Array.from({ length: 20 }, (_, i) => 1960 + 2 * i), 1999]);
  expect(rows).toHaveLength(22);
  await log.close();
  log.note(attempt(9));
  await log.flush();
  expect(written).toHaveLength(1);
});

test('a store that is away costs the attempts and nothing else', async () => {
  let isAway = true;
  const written: number[] = [];
  const log = new AttemptLog({
    add: (rows) => {
      if (isAway) return Promise.reject(new Error('away'));
      written.push(...rows.map(({ offset }) => offset));
      return Promise.resolve();
    },
    intervalMs: 60_000,
  });
  log.note(attempt(1));
  await log.flush();
  isAway = false;
  log.note(attempt(2));
  await log.close();
  expect(written).toEqual([2]);
});
