import type { FailpointName } from '@pgstream/failure';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const group = 'process';

/** Each point is met once, in an order that the seed decides. */
async function killAtEach(
  scene: Scene,
  names: readonly string[],
  points: readonly FailpointName[],
  provoke?: () => Promise<void>,
): Promise<void> {
  const left = [...points];
  while (left.length > 0) {
    const [point] = left.splice(scene.random.int(0, left.length - 1), 1);
    if (point === undefined) return;
    await scene.killAt(scene.random.pick(names), point, provoke);
  }
}

function killAt(
  name: string,
  who: string,
  points: readonly FailpointName[],
  of: {
    readonly names: readonly string[];
    readonly provoke?: (scene: Scene) => Promise<void>;
    readonly catchUpMs?: number;
  },
): Fault {
  return {
    name,
    group,
    summary: `${who} kills itself at a named point and is started again, at each of ${points.join(', ')}.`,
    expects: { kind: 'resumes' },
    ...(of.catchUpMs === undefined ? {} : { catchUpMs: of.catchUpMs }),
    run: async (scene) => {
      const { provoke } = of;
      await killAtEach(scene, of.names, points, provoke && (async () => provoke(scene)));
      await scene.untilIndexed(5);
    },
  };
}

const WORKERS = ['indexer-1', 'indexer-2'];

/** Rows in six more schemas: those of the workload may all be in partitions of the other worker. */
async function touchPartitions({ system: { sql, prefix } }: Scene): Promise<void> {
  for (let i = 0; i < 6; i++) {
    const schema = `${prefix}_w${i}`;
    await sql.query(`CREATE SCHEMA IF NOT EXISTS ${schema};
      CREATE TABLE IF NOT EXISTS ${schema}.touched (id integer PRIMARY KEY, times integer);
      INSERT INTO ${schema}.touched VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET times = touched.times + 1`);
  }
}

/** DDL and TRUNCATE, for points that only they reach. */
async function changeShapes({ system, load }: Scene): Promise<void> {
  for (const schema of load.schemas) {
    await system.sql.query(`
      ALTER TABLE ${schema}.pairs ADD COLUMN noted integer DEFAULT 5;
      ALTER TABLE ${schema}.pairs DROP COLUMN noted;
      TRUNCATE ${schema}.short_lived;`);
  }
}

/** A process ends exactly there: between what is durable and what is told. docs/failpoints.md says what is true at each. */
export const FAILPOINT_FAULTS: readonly Fault[] = [
  killAt(
    'kill-at-source',
    'The producer',
    [
      'source.start',
      'source.decoded',
      'source.handed-on',
      'source.checkpoint-before',
      'source.checkpoint-after',
    ],
    { names: ['producer'] },
  ),
  killAt(
    'kill-at-confirm',
    'The producer',
    ['pipeline.settled', 'pipeline.confirmed', 'source.status-before', 'source.status-after'],
    { names: ['producer'] },
  ),
  killAt('kill-at-fence', 'The producer', ['kafka.fencing', 'kafka.id-taken', 'kafka.fenced'], {
    names: ['producer'],
  }),
  killAt(
    'kill-at-produce',
    'The producer',
    ['kafka.produce-before', 'kafka.produce-sent', 'kafka.produce-acked'],
    { names: ['producer'] },
  ),
  killAt(
    'kill-at-consume',
    'A worker',
    ['consumer.assigned', 'consumer.handed-on', 'consumer.commit-before', 'consumer.commit-after'],
    { names: WORKERS, provoke: touchPartitions, catchUpMs: 120_000 },
  ),
  killAt('kill-at-bulk', 'A worker', ['search.bulk-before', 'search.bulk-after'], {
    names: WORKERS,
    provoke: touchPartitions,
    catchUpMs: 120_000,
  }),
  killAt(
    'kill-at-ddl',
    'A worker',
    ['search.ddl-before', 'search.ddl-applied', 'search.ddl-after', 'search.truncated'],
    { names: WORKERS, provoke: changeShapes, catchUpMs: 120_000 },
  ),
];
