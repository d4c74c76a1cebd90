import { epochMs } from './time-text.ts';

describe('instant of an ISO text', () => {
  test.each<[string, number | undefined]>([
    ['1970-01-01', 0],
    ['1970-01-01T00:00:10.5Z', 10_500],
    ['1970-01-01T00:00:10.059999', 10_059],
    ['1970-01-01T00:00:00+05:30', -19_800_000],
    ['1969-12-31T16:00:00-08:00', 0],
    ['2000-02-29', 951_782_400_000],
    ['0000-03-01', -62_162_035_200_000],
    ['+10000-01-01', undefined],
    ['-0001-01-01', undefined],
  ])('%s is %p ms', (iso, ms) => {
    expect(epochMs(iso)).toBe(ms);
  });
});
