import { FAULTS } from './matrix.ts';

test('at least forty faults, each with a name of its own and one sentence', () => {
  expect(FAULTS.length).toBeGreaterThanOrEqual(40);
  expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
  for (const { name, summary } of FAULTS) {
    expect(name).toMatch(/^[a-z0-9-]+$/);
    expect(summary).toMatch(/^[A-Z].*[.:]$/s);
  }
});
