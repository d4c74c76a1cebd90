import { ByteGate } from './byte-gate.ts';

const never = new AbortController().signal;

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}

test('what does not fit waits until enough has left, in order', async () => {
  const gate = new ByteGate(10);
  await gate.enter(6, never);
  const second = gate.enter(6, never);
  const third = gate.enter(1, never);
  expect(await isPending(second)).toBe(true);
  expect(await isPending(third)).toBe(true);
  gate.leave(6);
  await Promise.all([second, third]);
  expect(gate.held).toBe(7);
});

test('an item larger than the bound passes alone', async () => {
  const gate = new ByteGate(10);
  await gate.enter(100, never);
  const next = gate.enter(1, never);
  expect(await isPending(next)).toBe(true);
  gate.leave(100);
  await next;
});

test('who gives up waiting leaves no trace', async () => {
  const gate = new ByteGate(10);
  await gate.enter(10, never);
  const stop = new AbortController();
  const waiting = gate.enter(5, stop.signal);
  stop.abort(new Error('stopping'));
  await expect(waiting).rejects.toThrow('stopping');
  gate.leave(10);
  expect(gate.held).toBe(0);
});
