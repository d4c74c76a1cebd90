import { LinkedOrder, type Linked } from './linked-order.ts';

class Step implements Linked<Step> {
  order: unknown = undefined;
  earlier: Step | undefined = undefined;
  later: Step | undefined = undefined;
  readonly name: number;

  constructor(name: number) {
    this.name = name;
  }
}

const names = (order: LinkedOrder<Step>) => order.all().map(({ name }) => name);

function orderOf(count: number): { order: LinkedOrder<Step>; steps: Step[] } {
  const order = new LinkedOrder<Step>();
  const steps = Array.from({ length: count }, (_, i) => new Step(i));
  for (const step of steps) order.append(step);
  return { order, steps };
}

test.each([
  ['the first', 0, [1, 2, 3]],
  ['one in the middle', 2, [0, 1, 3]],
  ['the last', 3, [0, 1, 2]],
])('%s can go, and the others stay in their order', (_which, index, left) => {
  const { order, steps } = orderOf(4);
  expect(order.delete(steps[index]!)).toBe(true);
  expect([names(order), order.first?.name, order.size]).toEqual([left, left[0], 3]);
  const added = new Step(9);
  order.append(added);
  expect(names(order)).toEqual([...left, 9]);
});

test('what went keeps nobody, goes once, and may come again', () => {
  const { order, steps } = orderOf(3);
  const [, middle] = steps;
  order.delete(middle!);
  expect([middle!.earlier, middle!.later, middle!.order]).toEqual([undefined, undefined, undefined]);
  expect([order.delete(middle!), order.size]).toEqual([false, 2]);
  order.append(middle!);
  expect(names(order)).toEqual([0, 2, 1]);
});

test('all go, one by one or together, and then it is empty', () => {
  const { order, steps } = orderOf(3);
  for (const step of steps.toReversed()) order.delete(step);
  expect([order.first, order.size, names(order)]).toEqual([undefined, 0, []]);
  for (const step of steps) order.append(step);
  order.clear();
  expect([order.first, order.size, names(order), steps[1]!.later]).toEqual([undefined, 0, [], undefined]);
});

test('a member of another order is refused, and stays there', () => {
  const { order, steps } = orderOf(2);
  const other = new LinkedOrder<Step>();
  expect(() => other.append(steps[0]!)).toThrow('one order at a time');
  expect([other.delete(steps[0]!), names(order)]).toEqual([false, [0, 1]]);
});
