import { readFileSync, rmSync } from 'node:fs';
import type { FailpointName } from '@pgstream/failure';
import { startKafka, stopKafka, waitFor, Workload, type KafkaServer } from '@pgstream/test-kit';
import { samplesOf, type RunningService } from '../../product/product.ts';
import { compareWithLog, type LogAgreement } from '../agreement.ts';
import { sharedServers, System } from '../system.ts';

const SEED = Date.now() % 1_000_000;
/** The broker forgets a producer after so long; a third of it is what a process may stand still. */
const EXPIRY_MS = 24_000;

const SOUND = { disorder: [], differences: [] };

let system: System;
let load: Workload;
const running = new Set<RunningService>();

async function open(kafkaBroker: string): Promise<void> {
  console.log(`seed ${SEED}`);
  system = await System.open({ ...sharedServers(), kafkaBroker }, 'wakes');
  const { sql, prefix } = system;
  load = new Workload({ sql, prefix, schemas: 6, seed: SEED, pauseMs: 100, ddl: false });
  await load.prepare();
  load.start();
}

afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all([...running].map((service) => service.exited));
  running.clear();
  await system.close();
}, 120_000);

async function launch(name: string, failpoints = ''): Promise<RunningService> {
  const product = system.product.withEnvironment({ PGSTREAM_FAILPOINTS: failpoints });
  const service = await product.launch('wal-producer', name);
  running.add(service);
  return service;
}

/** A producer that stops itself with a round of batches in its hands, in front of the send; and its slot taken away. */
async function sleepingLeader(name: string): Promise<RunningService> {
  const leader = await launch(name, 'kafka.produce-before:stop:20');
  await waitFor(`${name} to stop itself`, () => isStopped(leader), 60_000);
  return leader;
}

async function takeSlot(): Promise<void> {
  await system.sql.query(
    'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database() AND active',
  );
}

function isStopped({ child }: RunningService): boolean {
  return /^\d+ \(.*\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'));
}

function wake(service: RunningService): void {
  service.child.kill('SIGCONT');
}

function says(service: RunningService, text: string): Promise<boolean> {
  return waitFor(
    `${service.name} to say ${text}`,
    () => readFileSync(service.logFile, 'utf8').includes(text),
    90_000,
  );
}

async function untilProduced(service: RunningService): Promise<void> {
  const produced = async () => {
    const samples = await samplesOf(service, 'pgstream_kafka_produced_records_total');
    return [...samples.values()].reduce((sum, value) => sum + value, 0);
  };
  await waitFor(`${service.name} to write`, async () => (await produced()) > 50, 120_000);
}

async function end(service: RunningService, signal: NodeJS.Signals): Promise<void> {
  service.child.kill(signal);
  await service.exited;
  running.delete(service);
}

/** Woken, it writes nothing and says why. */
async function endsStalled(sleeper: RunningService): Promise<void> {
  wake(sleeper);
  await says(sleeper, 'KAFKA_PRODUCER_STALLED');
  await sleeper.exited;
  expect(sleeper.child.exitCode).toBe(1);
}

/** Nothing lost, nothing twice, everything in order. */
async function soundLog(): Promise<Pick<LogAgreement, 'disorder' | 'differences'>> {
  await load.stop();
  const last = await launch('last');
  await system.untilConfirmed(240_000);
  await end(last, 'SIGTERM');
  const { disorder, differences, records } = await compareWithLog(system);
  if (records < 100) throw new Error(`${records} records are too few to tell`);
  return { disorder, differences };
}

test('woken at each step of its successor’s start, a producer neither repeats nor disorders anything', async () => {
  await open(sharedServers().kafkaBroker);
  const steps: readonly FailpointName[] = ['source.start', 'kafka.fencing', 'kafka.id-taken', 'kafka.fenced'];
  for (const [i, step] of steps.entries()) {
    const old = await sleepingLeader(`old-${i}`);
    await takeSlot();
    const successor = await launch(`successor-${i}`, `${step}:delay=2500`);
    // The successor stands at the step from here on, or is about to
    await says(successor, step === 'source.start' ? 'starting' : '"role":"leader"');
    wake(old);
    // Woken before START it may be the one who gets the slot back
    await system.untilConfirmed();
    await end(old, 'SIGKILL');
    await end(successor, 'SIGTERM');
  }
  expect(await soundLog()).toEqual(SOUND);
}, 300_000);

describe('a broker that soon forgets', () => {
  let kafka: KafkaServer;

  beforeAll(async () => {
    kafka = await startKafka({
      heapMb: 256,
      properties: [
        `transactional.id.expiration.ms=${EXPIRY_MS}`,
        'transaction.remove.expired.transaction.cleanup.interval.ms=500',
        `producer.id.expiration.ms=${EXPIRY_MS}`,
        'producer.id.expiration.check.interval.ms=500',
      ],
    });
  }, 120_000);

  afterAll(async () => {
    await stopKafka(kafka, 'SIGKILL');
    rmSync(kafka.dir, { recursive: true, force: true });
  }, 60_000);

  test('a short pause changes nothing; whoever wakes after the brokers forgot it writes nothing', async () => {
    await open(kafka.broker);
    const short = await sleepingLeader('short');
    wake(short);
    await untilProduced(short);
    expect(short.child.exitCode).toBeNull();
    await end(short, 'SIGTERM');

    const first = await sleepingLeader('first');
    await takeSlot();
    const second = await sleepingLeader('second');
    const stoppedMs = Date.now();
    await takeSlot();
    await waitFor('the broker to forget', () => Date.now() - stoppedMs > EXPIRY_MS + 3000);
    const successor = await launch('successor');
    await says(successor, 'waiting until requests of an earlier producer have ended');
    await endsStalled(first);
    await untilProduced(successor);
    await endsStalled(second);
    await system.untilConfirmed();
    await end(successor, 'SIGTERM');
    expect(await soundLog()).toEqual(SOUND);
  }, 300_000);

  test('a producer that runs is never forgotten, though it is idle', async () => {
    await open(kafka.broker);
    await load.stop();
    const producer = await launch('idle');
    await says(producer, 'positions read from the topic');
    const startedMs = Date.now();
    await waitFor('one and a half times the expiry', () => Date.now() - startedMs > 1.5 * EXPIRY_MS, 60_000);
    const { sql, prefix } = system;
    await sql.query(
      `INSERT INTO ${prefix}_s0.items (id, version) SELECT i, 1 FROM generate_series(5000, 5200) i`,
    );
    await untilProduced(producer);
    await end(producer, 'SIGTERM');
    const successor = await launch('successor');
    await says(successor, 'positions read from the topic');
    expect(readFileSync(successor.logFile, 'utf8')).not.toContain('waiting until requests');
    expect(await soundLog()).toEqual(SOUND);
  }, 300_000);
});
