import { Fifo } from './fifo.ts';

test('what came first goes first, over any number, and length and first say what is left', () => {
  const fifo = new Fifo<number>();
  const taken: (number | undefined)[] = [];
  let pushed = 0;
  for (let round = 1; round <= 40; round++) {
    for (let i = 0; i < round * 3; i++) fifo.push(pushed++);
    for (let i = 0; i < round * 2; i++) taken.push(fifo.take());
    expect([fifo.length, fifo.first]).toEqual([pushed - taken.length, taken.length]);
  }
  while (fifo.length > 0) taken.push(fifo.take());
  expect(taken).toEqual(Array.from({ length: pushed }, (_, i) => i));
  expect([fifo.take(), fifo.first, fifo.length]).toEqual([undefined, undefined, 0]);
});

test('once it is cleared it begins anew', () => {
  const fifo = new Fifo<number>();
  for (let i = 0; i < 10; i++) fifo.push(i);
  fifo.take();
  fifo.clear();
  expect([fifo.length, fifo.take()]).toEqual([0, undefined]);
  fifo.push(7);
  expect([fifo.first, fifo.take(), fifo.take()]).toEqual([7, 7, undefined]);
});
