import { parseLsn, type Lsn } from '@pgstream/wal-event';
import { Acknowledger } from './acknowledger.ts';

const nothing = () => {};
const lsn = (n: number): Lsn => parseLsn(`0/${n.toString(16)}`);

function setup(history: { pending?: boolean; checkpoint?: (upTo: Lsn) => Promise<void> } = {}) {
  const failures: unknown[] = [];
  const acknowledger = new Acknowledger(lsn(10), {
    history: {
      pendingCheckpoint: () => history.pending ?? false,
      checkpoint: history.checkpoint ?? (() => Promise.resolve()),
    },
    onAdvance: () => {},
    onFailure: (cause) => failures.push(cause),
  });
  return { acknowledger, failures };
}

test('what is received is not confirmed; what is confirmed is, exactly', () => {
  const { acknowledger } = setup();
  acknowledger.records(lsn(20));
  acknowledger.records(lsn(30));
  expect(acknowledger.confirmed).toBe(lsn(10));
  acknowledger.confirm(lsn(20));
  expect(acknowledger.confirmed).toBe(lsn(20));
});

test('it never goes back', () => {
  const { acknowledger } = setup();
  acknowledger.records(lsn(30));
  acknowledger.confirm(lsn(30));
  acknowledger.confirm(lsn(20));
  acknowledger.found(lsn(5));
  acknowledger.idle(lsn(25));
  expect(acknowledger.confirmed).toBe(lsn(30));
});

test('with nothing outstanding the end of WAL is confirmed', () => {
  const { acknowledger } = setup();
  acknowledger.idle(lsn(40));
  expect(acknowledger.confirmed).toBe(lsn(40));
});

test('with records outstanding the end of WAL waits for them, and then counts', () => {
  const { acknowledger } = setup();
  acknowledger.records(lsn(20));
  acknowledger.idle(lsn(40));
  expect(acknowledger.confirmed).toBe(lsn(10));
  acknowledger.records(lsn(50)); // came after: 40 is behind it, and ahead of 20
  acknowledger.confirm(lsn(20));
  expect(acknowledger.confirmed).toBe(lsn(40));
  acknowledger.confirm(lsn(50));
  expect(acknowledger.confirmed).toBe(lsn(50));
});

test('shapes are persisted before an LSN above them is confirmed', async () => {
  let persisted = nothing;
  const gate = new Promise<void>((resolve) => {
    persisted = resolve;
  });
  const { acknowledger } = setup({ pending: true, checkpoint: () => gate });
  acknowledger.records(lsn(20));
  acknowledger.confirm(lsn(20));
  expect(acknowledger.confirmed).toBe(lsn(10));
  persisted();
  await acknowledger.settle();
  expect(acknowledger.confirmed).toBe(lsn(20));
});

test('shapes that cannot be persisted hold the confirmation back until they can', async () => {
  let broken = true;
  const checkpoint = () => (broken ? Promise.reject(new Error('down')) : Promise.resolve());
  const { acknowledger, failures } = setup({ pending: true, checkpoint });
  acknowledger.records(lsn(20));
  acknowledger.confirm(lsn(20));
  await acknowledger.settle();
  expect(acknowledger.confirmed).toBe(lsn(10));
  expect(failures.length).toBeGreaterThan(0);
  broken = false;
  acknowledger.retry();
  await acknowledger.settle();
  expect(acknowledger.confirmed).toBe(lsn(20));
});

test('after a reconnect an outcome of before waits until the stream has passed it again', () => {
  const { acknowledger } = setup();
  acknowledger.records(lsn(20));
  acknowledger.records(lsn(30));
  acknowledger.idle(lsn(40));
  expect(acknowledger.found(lsn(10))).toBe(lsn(10));
  acknowledger.confirm(lsn(30)); // the shapes of 20 and 30 are not known yet
  expect(acknowledger.confirmed).toBe(lsn(10));
  acknowledger.records(lsn(20));
  expect(acknowledger.confirmed).toBe(lsn(20));
  acknowledger.records(lsn(30));
  acknowledger.idle(lsn(35));
  expect(acknowledger.confirmed).toBe(lsn(35));
  acknowledger.idle(lsn(40));
  expect(acknowledger.confirmed).toBe(lsn(40));
});

test('a reconnect while shapes are persisted does not lower what they allow', async () => {
  let persisted = nothing;
  const gate = new Promise<void>((resolve) => {
    persisted = resolve;
  });
  const { acknowledger } = setup({ pending: true, checkpoint: () => gate });
  acknowledger.records(lsn(20));
  acknowledger.confirm(lsn(20));
  acknowledger.found(lsn(25));
  persisted();
  await acknowledger.settle();
  expect(acknowledger.confirmed).toBe(lsn(25));
});

test('a slot found below what is durable hears of that again only after what must be persisted before', async () => {
  const persisted: Lsn[] = [];
  const history = { pending: false, checkpoint: async (upTo: Lsn) => void persisted.push(upTo) };
  const { acknowledger } = setup(history);
  acknowledger.records(lsn(30));
  acknowledger.confirm(lsn(30));
  expect(acknowledger.confirmed).toBe(lsn(30));
  history.pending = true;
  expect(acknowledger.found(lsn(15))).toBe(lsn(30));
  // What a status message says at once
  expect([acknowledger.confirmed, acknowledger.durable]).toEqual([lsn(15), lsn(30)]);
  acknowledger.retry();
  await acknowledger.settle();
  expect([persisted, acknowledger.confirmed]).toEqual([[lsn(30)], lsn(30)]);
});
