import { Registry } from 'prom-client';
import { createMetrics } from '../metrics/metric-table.ts';
import { HealthServer } from './health-server.ts';
import { Watchdog } from './watchdog.ts';

async function started() {
  const metrics = new Registry();
  const made = createMetrics({ t_total: { type: 'counter', help: 'Things.', labels: ['kind'] } }, metrics);
  made.t_total.inc({ kind: 'a' }, 3);
  const server = new HealthServer({ address: '127.0.0.1:0', version: '9.9', metrics, stuckAfterMs: 1000 });
  const url = await server.listen();
  return { server, url, [Symbol.asyncDispose]: () => server.close() };
}

const ask = async (url: string, path: string) => {
  const answer = await fetch(`${url}${path}`);
  return { code: answer.status, text: await answer.text() };
};

test('liveness does not depend on readiness, and readiness names what fails', async () => {
  await using running = await started();
  const { server, url } = running;
  expect((await ask(url, '/livez')).code).toBe(200);
  expect(await ask(url, '/readyz')).toEqual({
    code: 503,
    text: '{"status":"not ready","failures":["phase is starting"]}',
  });
  server.phase = 'replication';
  let reason: string | null = 'down';
  server.addReadiness('postgres', () => reason);
  expect((await ask(url, '/ready')).text).toContain('"postgres: down"');
  expect((await ask(url, '/health')).code).toBe(200);
  reason = null;
  expect((await ask(url, '/readyz')).code).toBe(200);
});

test('status and metrics answer', async () => {
  await using running = await started();
  expect((await ask(running.url, '/status')).text).toBe('{"status":"ok","version":"9.9","phase":"starting"}');
  expect((await ask(running.url, '/metrics')).text).toContain('t_total{kind="a"} 3');
});

test('an address in use is refused by name', async () => {
  await using running = await started();
  const address = new URL(running.url).host;
  const second = new HealthServer({ address, version: '', metrics: null, stuckAfterMs: 1 });
  await expect(second.listen()).rejects.toMatchObject({ code: 'HEALTH_ADDRESS_UNAVAILABLE', exitCode: 78 });
});

test('a part is stuck only while it is busy and nothing happens', () => {
  const watchdog = new Watchdog(1000);
  let done = 0;
  let busy = true;
  watchdog.watch({ name: 'partition 3', done: () => done, busy: () => busy }, 0);
  expect(watchdog.stuck(1000)).toEqual([]);
  expect(watchdog.stuck(1001)).toEqual(['partition 3']);
  done = 1;
  expect(watchdog.stuck(1002)).toEqual([]);
  busy = false;
  expect(watchdog.stuck(9000)).toEqual([]);
  busy = true;
  expect(watchdog.stuck(9500)).toEqual([]);
  expect(watchdog.stuck(10_001)).toEqual(['partition 3']);
});
