import { quietRounds } from './quiet-rounds.ts';

/** Rounds that are their own numbers, beside others who had so many cores in each. */
async function roundsBeside(cores: (round: number) => number) {
  let rounds = 0;
  const noise = () => ({ cores: () => cores(rounds++) });
  return await quietRounds(noise, async (round) => Promise.resolve(round));
}

beforeEach(() => void jest.spyOn(console, 'error').mockImplementation(() => undefined));
afterEach(() => jest.restoreAllMocks());

test('five quiet rounds are enough', async () => {
  expect(await roundsBeside(() => 0.01)).toEqual({ counted: [0, 1, 2, 3, 4], made: 5, noisy: 0 });
});

test('a noisy round is left out, and another one made for it', async () => {
  const found = await roundsBeside((round) => (round % 2 === 0 ? 0 : 0.4));
  expect(found).toEqual({ counted: [0, 2, 4, 6, 8], made: 9, noisy: 4 });
});

test('ten rounds are the most: what was quiet counts, and all where nothing was', async () => {
  const few = await roundsBeside((round) => (round === 3 ? 0 : 1));
  expect(few).toEqual({ counted: [3], made: 10, noisy: 9 });
  const none = await roundsBeside(() => 1);
  expect(none).toMatchObject({ made: 10, noisy: 10 });
  expect(none.counted).toHaveLength(10);
});
