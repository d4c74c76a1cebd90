import { Buffer } from 'node:buffer';
import { parsePosition } from '@pgstream/wal-event';
import { decodeHeartbeat, encodeHeartbeat, routingHash, type Heartbeat } from './heartbeat.ts';

const HEARTBEAT: Heartbeat = {
  sourceId: '7000/shop/pgstream',
  epoch: 2,
  routing: { keying: 'schema', partitions: '12', include: 'app.*' },
  position: parsePosition('16/B374D848:12-'),
  dataOffset: 2n ** 60n,
  isFence: false,
};

test.each<Heartbeat>([HEARTBEAT, { ...HEARTBEAT, position: null, dataOffset: -1n, isFence: true }])(
  'reads what it writes',
  (heartbeat) => {
    expect(decodeHeartbeat(encodeHeartbeat(heartbeat))).toEqual(heartbeat);
  },
);

test.each(['', '[]', '{}', '{"source_id":"a"}', '{"source_id":"a","epoch":1,"routing":{},"position":"x"}'])(
  'is no heartbeat: %s',
  (text) => {
    expect(decodeHeartbeat(Buffer.from(text))).toBeNull();
  },
);

test('the hash knows the settings and not their order', () => {
  expect(routingHash({ a: '1', b: '2' })).toBe(routingHash({ b: '2', a: '1' }));
  expect(routingHash({ a: '1', b: '2' })).not.toBe(routingHash({ a: '1', b: '3' }));
});
