import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KafkaConnectionOptions, KafkaSaslOptions } from '@pgstream/kafka-client';
import { assetsDir, startKafka, stopKafka, waitFor, type KafkaServer } from '@pgstream/test-kit';
import { batchOf, Bench, connection, never, once, put, rows } from './support.ts';

let broker: KafkaServer;
let bench: Bench;
const pem = (name: string) => readFileSync(join(assetsDir(), 'tls', name), 'utf8');

beforeAll(async () => {
  broker = await startKafka({ heapMb: 256 });
  bench = new Bench(at(broker.broker));
}, 120_000);

afterAll(async () => {
  await bench.close();
  await stopKafka(broker, 'SIGKILL');
  rmSync(broker.dir, { recursive: true, force: true });
}, 60_000);

const at = (address: string, security: Partial<KafkaConnectionOptions> = {}): KafkaConnectionOptions => ({
  ...connection,
  brokers: [address],
  ...security,
});
const alice = (mechanism: KafkaSaslOptions['mechanism'], password = 'alice-secret'): KafkaSaslOptions => ({
  mechanism,
  username: 'alice',
  password,
});

describe('secured listeners', () => {
  const ca = pem('ca.crt');

  test('TLS, with and without a client certificate', async () => {
    const topic = bench.topic();
    const first = await bench.open(topic, { connection: at(broker.tlsBroker, { tls: { ca } }) });
    await put(first, batchOf(rows(1, 10)));
    await first.close();
    const tls = { ca, cert: pem('client.crt'), key: pem('client.key') };
    const second = await bench.open(topic, { connection: at(broker.tlsBroker, { tls }) });
    await put(second, batchOf(rows(1, 20)));
    expect(await bench.summary(topic)).toEqual(once(20));
  });

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('SASL %s', async (mechanism) => {
    const topic = bench.topic();
    const secured = at(broker.saslBroker, { tls: { ca }, sasl: alice(mechanism) });
    await put(await bench.open(topic, { connection: secured }), batchOf(rows(1, 10)));
    expect(await bench.summary(topic)).toEqual(once(10));
    const wrong = at(broker.saslBroker, { tls: { ca }, sasl: alice(mechanism, 'guess') });
    await expect(bench.open(topic, { connection: wrong })).rejects.toMatchObject({
      code: 'KAFKA_AUTH_FAILED',
      exitCode: 78,
    });
  });

  test('a certificate of an unknown authority is refused', async () => {
    const untrusted = at(broker.tlsBroker, { tls: {} });
    await expect(bench.open(bench.topic(), { connection: untrusted })).rejects.toMatchObject({
      code: 'KAFKA_TLS_FAILED',
      exitCode: 78,
    });
  });

  test('plain text spoken to a TLS listener is no success and no endless wait', async () => {
    const mistaken = at(broker.tlsBroker, { requestTimeoutMs: 5000 });
    await expect(bench.open(bench.topic(), { connection: mistaken })).rejects.toMatchObject({
      name: 'PipelineError',
    });
  });
});

test('a broker that is killed and comes back: what waited is written once, memory bounded', async () => {
  const topic = bench.topic();
  const maxQueueBytes = 100_000;
  const sink = await bench.open(topic, { deliveryTimeoutMs: 60_000, maxQueueBytes });
  await put(sink, batchOf(rows(1, 100)));
  let settled = 0;
  let written = 100;
  const writing = (async () => {
    for (; written < 3000; written += 100) {
      await sink.write(
        batchOf(rows(written + 1, 100)),
        { settled: () => (settled += 1), failed: raise },
        never,
      );
    }
  })();
  await stopKafka(broker, 'SIGKILL');
  await waitFor('a full queue', () => sink.queuedBytes >= maxQueueBytes);
  expect(sink.queuedBytes).toBeLessThan(maxQueueBytes + 1000);
  broker = await startKafka({ dir: broker.dir, heapMb: 256 });
  await writing;
  await sink.flush(never);
  expect(settled).toBe(29);
  expect(await bench.summary(topic)).toEqual(once(3000));
}, 120_000);

function raise(cause: unknown): never {
  throw cause;
}
