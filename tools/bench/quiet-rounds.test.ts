import { figuresOfRounds, quietOf, quietRounds } from './quiet-rounds.ts';

/** Others who have so many cores in each round. */
function others(cores: (round: number) => number) {
  let rounds = 0;
  return () => ({ cores: () => cores(rounds++) });
}

/** Rounds that are their own numbers. */
async function roundsBeside(cores: (round: number) => number) {
  return await quietRounds(others(cores), async (round) => Promise.resolve(round));
}

async function pair(round: number) {
  return await Promise.resolve([{ of: `a${round}` }, { of: `b${round}` }]);
}

beforeEach(() => void jest.spyOn(console, 'error').mockImplementation(() => undefined));
afterEach(() => jest.restoreAllMocks());

test('five quiet rounds are enough', async () => {
  expect(await roundsBeside(() => 0.01)).toMatchObject({ counted: [0, 1, 2, 3, 4], made: 5, noisy: 0 });
});

test('a noisy round is left out, and another one made for it', async () => {
  const found = await roundsBeside((round) => (round % 2 === 0 ? 0 : 0.4));
  expect(found).toMatchObject({ counted: [0, 2, 4, 6, 8], made: 9, noisy: 4 });
});

test('ten rounds are the most: what was quiet counts, and all where nothing was', async () => {
  const few = await roundsBeside((round) => (round === 3 ? 0 : 1));
  expect(few).toMatchObject({ counted: [3], made: 10, noisy: 9 });
  const none = await roundsBeside(() => 1);
  expect(none).toMatchObject({ made: 10, noisy: 10 });
  expect(none.counted).toHaveLength(10);
});

test('figures of a round know its noise, and those of quiet rounds are counted', async () => {
  const noise = others((round) => (round === 0 ? 0.06 : 0.05));
  const all = await figuresOfRounds(noise, pair, { quiet: 2, most: 4 });
  expect(all.map(({ of, noiseCores }) => `${of} ${noiseCores}`)).toEqual([
    'a0 0.06',
    'b0 0.06',
    'a1 0.05',
    'b1 0.05',
    'a2 0.05',
    'b2 0.05',
  ]);
  expect(quietOf(all).map(({ of }) => of)).toEqual(['a1', 'b1', 'a2', 'b2']);
  expect(quietOf(all.slice(0, 2))).toHaveLength(2);
});
