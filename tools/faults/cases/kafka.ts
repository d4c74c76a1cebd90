import { createTopic } from '@pgstream/kafka-client';
import { readLog } from '@pgstream/test-kit';
import type { Fault } from '../fault.ts';
import { withAdmin } from '../kafka-admin.ts';
import type { Scene } from '../scene.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'kafka';

/** The broker that leads the partition of the first schema. */
async function leaderOf(scene: Scene): Promise<number> {
  const { topics } = await withAdmin(scene, async (admin) =>
    admin.fetchTopicMetadata({ topics: [scene.system.topic] }),
  );
  return (topics[0]?.partitions[0]?.leader ?? 1) - 1;
}

/** Everything that was written is in its place, and nothing is being written. */
async function atRest(scene: Scene): Promise<void> {
  await scene.load.stop();
  await scene.system.untilIndexed();
  await scene.freezeProgress(); // what is removed later was there when it was confirmed
  scene.logSoFar = await readLog(scene.system.connection, scene.system.topic);
}

const BROKERS = {
  servers: 'brokers',
  environment: { PGSTREAM_KAFKA_TOPIC_REPLICATION_FACTOR: '3' },
} as const;

/** What happens to the log. */
export const KAFKA_FAULTS: readonly Fault[] = [
  {
    name: 'kafka-killed',
    group,
    summary: 'The only broker is killed with SIGKILL and started again.',
    expects: resumes,
    servers: 'own',
    async run(scene) {
      const own = await scene.arena.own();
      await own.stopKafka();
      await scene.linger(1_000);
      await own.startKafka();
    },
  },
  {
    name: 'kafka-asleep',
    group,
    summary: 'The only broker stands still (SIGSTOP) for eight seconds, longer than the workers’ session.',
    expects: resumes,
    servers: 'own',
    async run(scene) {
      const own = await scene.arena.own();
      process.kill(own.pids.kafka, 'SIGSTOP');
      await scene.linger(8_000);
      process.kill(own.pids.kafka, 'SIGCONT');
    },
  },
  {
    name: 'kafka-leader-killed',
    group,
    summary: 'Of three brokers, the leader of a partition is killed, and comes back.',
    expects: resumes,
    ...BROKERS,
    async run(scene) {
      const trio = await scene.arena.trio();
      const leader = await leaderOf(scene);
      await trio.kill(leader);
      await scene.untilIndexed(5, 90_000);
      await trio.restart(leader);
    },
  },
  {
    name: 'kafka-two-killed',
    group,
    summary: 'Two of three brokers are killed, too few are in sync for any write, and they come back.',
    expects: resumes,
    ...BROKERS,
    catchUpMs: 90_000,
    async run(scene) {
      const trio = await scene.arena.trio();
      const leader = await leaderOf(scene);
      const other = (leader + 1) % 3;
      await Promise.all([trio.kill(leader), trio.kill(other)]);
      await scene.untilCommitted(40);
      await Promise.all([trio.restart(leader), trio.restart(other)]);
    },
  },
  {
    name: 'kafka-leader-asleep',
    group,
    summary: 'Of three brokers, the leader of a partition stands still until another leads, and wakes up.',
    expects: resumes,
    ...BROKERS,
    async run(scene) {
      const trio = await scene.arena.trio();
      const leader = await leaderOf(scene);
      trio.signal(leader, 'SIGSTOP');
      await scene.linger(10_000);
      trio.signal(leader, 'SIGCONT');
    },
  },
  {
    name: 'kafka-one-after-another',
    group,
    summary: 'Three brokers are restarted one after another, as an upgrade does.',
    expects: resumes,
    ...BROKERS,
    async run(scene) {
      const trio = await scene.arena.trio();
      for (const index of [0, 1, 2]) {
        await trio.kill(index);
        await trio.restart(index);
        await scene.untilIndexed(3, 90_000);
      }
    },
  },
  {
    name: 'kafka-disk-full',
    group,
    summary:
      'The broker’s disk takes no more bytes (prlimit --fsize): it gives up, and comes back with room.',
    expects: resumes,
    servers: 'own',
    async run(scene) {
      const own = await scene.arena.own();
      own.fillDisk('kafka', 100_000);
      await scene.until('the broker to give up', () => !own.isRunning('kafka'), 60_000);
      await own.startKafka();
    },
  },
  {
    name: 'kafka-topic-recreated',
    group,
    summary: 'Somebody deletes the topic and creates it again, unnoticed by any request.',
    expects: {
      kind: 'stops',
      code: 'KAFKA_TOPIC_REPLACED',
      also: ['KAFKA_TOPIC_RECREATED'],
      exitCode: 78,
      who: 'producer',
    },
    async run(scene) {
      await atRest(scene);
      const { topic, sql } = scene.system;
      await withAdmin(scene, async (admin) => {
        await admin.deleteTopics({ topics: [topic] });
        await scene.until('the topic to be gone', async () => !(await admin.listTopics()).includes(topic));
        await createTopic(admin, { topic, numPartitions: 6 });
      });
      await sql.query(`INSERT INTO ${scene.load.schemas[0]}.short_lived VALUES (500000, 1)`);
    },
  },
  {
    name: 'kafka-retention-overtakes',
    group,
    summary: 'Records are removed from the log before the workers, who were away, have read them.',
    expects: { kind: 'stops', code: 'KAFKA_OFFSETS_LOST', exitCode: 78, who: 'indexer' },
    async run(scene) {
      await atRest(scene);
      const { topic, sql } = scene.system;
      await scene.crew.stop('indexer-1');
      await scene.crew.stop('indexer-2');
      for (const schema of scene.load.schemas)
        await sql.query(
          `INSERT INTO ${schema}.short_lived SELECT i, 1 FROM generate_series(600000, 600020) i`,
        );
      await scene.system.untilConfirmed();
      await withAdmin(scene, async (admin) => {
        const offsets = await admin.fetchTopicOffsets(topic);
        const partitions = offsets.map(({ partition, high }) => ({ partition, offset: high }));
        await admin.deleteTopicRecords({ topic, partitions });
      });
      await scene.launch('indexer-1');
    },
  },
  {
    name: 'kafka-group-forgotten',
    group,
    summary:
      'The group’s committed offsets are deleted while the workers are away: they read everything again.',
    expects: resumes,
    async run(scene) {
      for (const name of ['indexer-1', 'indexer-2']) await scene.crew.stop(name);
      await withAdmin(scene, async (admin) => admin.deleteGroups([scene.system.group]));
      for (const name of ['indexer-1', 'indexer-2']) await scene.launch(name);
      await scene.untilIndexed(5);
    },
  },
  {
    name: 'kafka-partitions-added',
    group,
    summary: 'Partitions are added to the topic while the producer runs, and it is killed afterwards.',
    expects: { kind: 'stops', code: 'KAFKA_ROUTING_CHANGED', exitCode: 78, who: 'producer' },
    async run(scene) {
      const { topic } = scene.system;
      await withAdmin(scene, async (admin) =>
        admin.createPartitions({ topicPartitions: [{ topic, count: 8 }] }),
      );
      await scene.untilIndexed(5);
      await scene.kill('producer');
    },
  },
  {
    name: 'kafka-record-too-large',
    group,
    summary: 'Rows are larger than the topic takes.',
    expects: { kind: 'resumes', parks: true },
    environment: { PGSTREAM_KAFKA_TOPIC_MAX_MESSAGE_BYTES: '1MiB' },
    async run(scene) {
      const { sql, prefix } = scene.system;
      // a schema that the ledger does not compare: what is parked is missing from its index
      const table = `${prefix}_large.large`;
      await sql.query(
        `CREATE SCHEMA ${prefix}_large; CREATE TABLE ${table} (id integer PRIMARY KEY, body text)`,
      );
      const noise = `(SELECT string_agg(md5((i * 300000 + j)::text), '') FROM generate_series(1, 100000) j)`;
      await sql.query(`INSERT INTO ${table} SELECT i, ${noise} FROM generate_series(1, 3) i`);
      await scene.until('the rows to be parked', async () => {
        return (await scene.metric('producer', 'pgstream_dlq_records_total')) >= 3;
      });
    },
  },
];
