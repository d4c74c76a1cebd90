import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const PROGRAM = `
  import { getHeapSpaceStatistics } from 'node:v8';
  const { keepNurserySmall } = await import(process.argv[1]);
  if (process.argv[2] === 'small') keepNurserySmall();
  let kept = [];
  for (let i = 0; i < 400_000; i += 1) kept.push({ i });
  const nursery = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  console.log(Math.round(nursery.space_size / 2 ** 20), kept.length);
`;

/** MiB of the young generation of a process of its own, after it has allocated much more than that. */
function nurseryMb(how: 'small' | 'as it is'): number {
  const file = join(__dirname, 'small-nursery.ts');
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', PROGRAM, file, how];
  const { status, stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout.split(' ')[0]);
}

test('the young generation stays at the size it starts with, which V8 by itself does not do', () => {
  expect(nurseryMb('as it is')).toBeGreaterThanOrEqual(16);
  expect(nurseryMb('small')).toBeLessThanOrEqual(2);
});
