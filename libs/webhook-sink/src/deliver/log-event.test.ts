import { encodeRecord } from '@pgstream/wal-event';
import { change } from '../../test/records.ts';
import { EventBudget, LogEvent } from './log-event.ts';

const record = change(3);
const eventOf = (budget = new EventBudget(1_000)) =>
  new LogEvent({ offset: 0, commitTimeMs: 0, origin: 't' }, encodeRecord(record), budget);

test('what is ready to be sent says the same as one that is not, in every format', () => {
  const [ready, fresh] = [eventOf(), eventOf()];
  ready.ready(['standard']);
  for (const format of ['standard', 'pgstream', 'cloudevents', 'standard'] as const) {
    expect(ready.body(format).toString()).toBe(fresh.body(format).toString());
    expect(ready.body(format)).toBe(ready.body(format));
  }
  expect([ready.id, ready.lsn]).toEqual([fresh.id, fresh.lsn]);
  expect(ready.record).toEqual(fresh.record);
});

test('its bodies count as held, from when they are made until it is let go of', () => {
  const budget = new EventBudget(10_000);
  const event = eventOf(budget);
  event.hold();
  event.ready(['standard', 'pgstream']);
  const bodies = event.body('standard').length + event.body('pgstream').length;
  expect(budget.heldBytes).toBe(event.value.length + bodies);
  event.letGo();
  expect(budget.heldBytes).toBe(0);
});
