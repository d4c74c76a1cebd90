import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { FAILPOINTS } from './failpoint-names.ts';
import { armFailpoints, failpoint, FailpointError, parseFailpoints } from './failpoints.ts';

test('nothing is armed unless the environment says so', () => {
  expect(failpoint).toBeUndefined();
  expect(armFailpoints([])).toBeUndefined();
});

test('names, actions and the hits that pass are read', () => {
  expect(
    parseFailpoints('source.start:kill, kafka.produce-sent:delay=250:3,search.bulk-after:throw=ECONNRESET'),
  ).toEqual([
    { name: 'source.start', action: { kind: 'kill' }, after: 0 },
    { name: 'kafka.produce-sent', action: { kind: 'delay', ms: 250 }, after: 3 },
    { name: 'search.bulk-after', action: { kind: 'throw', code: 'ECONNRESET' }, after: 0 },
  ]);
  expect(parseFailpoints('')).toEqual([]);
});

test.each([
  ['source.stat:kill', 'there is no failpoint "source.stat"'],
  ['constructor:kill', 'there is no failpoint'],
  ['source.start', 'is not name:action'],
  ['source.start:explode', 'is not name:action'],
  ['source.start:delay=soon', 'is not name:action'],
  ['source.start:kill=9', 'is not name:action'],
  ['source.start:kill:x', 'is not name:action'],
  ['source.start:kill:1:2', 'is not name:action'],
])('%s is refused', (text, why) => {
  expect(() => parseFailpoints(text)).toThrow(why);
});

test('a point acts after the hits that pass, once, with the code it was given', () => {
  const hit = armFailpoints(parseFailpoints('pipeline.settled:throw=ECONNRESET:2'));
  hit?.('pipeline.settled');
  hit?.('pipeline.confirmed');
  hit?.('pipeline.settled');
  expect(() => hit?.('pipeline.settled')).toThrow(FailpointError);
  expect(() => hit?.('pipeline.settled')).not.toThrow();
  const again = armFailpoints(parseFailpoints('pipeline.settled:throw=57P01'));
  expect(() => again?.('pipeline.settled')).toThrow(expect.objectContaining({ code: '57P01' }));
});

test('a delay blocks each time', () => {
  const hit = armFailpoints(parseFailpoints('source.decoded:delay=20'));
  const begunMs = performance.now();
  hit?.('source.decoded');
  hit?.('source.decoded');
  expect(performance.now() - begunMs).toBeGreaterThanOrEqual(39);
});

test('an armed kill ends the process inside the call', () => {
  const module = JSON.stringify(join(__dirname, 'failpoints.ts'));
  const script = `const { failpoint } = await import(${module});
    failpoint?.('source.start'); console.log('first'); failpoint?.('source.start'); console.log('second');`;
  const { signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...process.env, PGSTREAM_FAILPOINTS: 'source.start:kill:1' },
  });
  expect(signal).toBe('SIGKILL');
  expect(stdout).toBe('first\n');
});

test('every name says where it is', () => {
  for (const [name, text] of Object.entries(FAILPOINTS)) {
    expect(name).toMatch(/^[a-z]+\.[a-z-]+$/);
    expect(text.length).toBeGreaterThan(20);
  }
});
