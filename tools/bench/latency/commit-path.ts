import { NAME, type BenchWorld } from '../bench-world.ts';
import { debezium } from '../peers/debezium/debezium.ts';
import type { Peer } from '../peers/peer.ts';
import { untilSlotFree, worldOn } from '../peers/peer-world.ts';

/** Of the small commits; in schema `public`. */
export const SMALL_TABLE = 'latency_small';

/** Whatever brings commits into a topic: the product, or another system by an adapter of the same form. */
export interface CommitPath {
  readonly system: string;
  readonly topic: string;
  /** Resolves when it streams; the tables of the workload are there by then. Values must reach the topic as text. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The product with default settings; its slot and topic have the name of the run. */
export function productPath(world: BenchWorld, run: string, topic = run): CommitPath {
  const product = world.product(run);
  return {
    system: 'pgstream',
    topic,
    start: async () => {
      await product.run('init', '--keyless=full');
      await product.start('wal-producer', `producer-${run}`);
    },
    stop: async () => {
      await product.stopAll();
      await product.run('tear-down', '--slot-only');
    },
  };
}

/** The broker unpacks what Debezium wrote, for the reader knows no lz4: a few microseconds for a record or two. */
const READABLE = { 'compression.type': 'uncompressed' };

/** Debezium with its tuned settings, which ask for a short linger; its slot has the name of the run. */
export async function debeziumPath(world: BenchWorld, run: string): Promise<CommitPath> {
  const { postgres, kafka } = world.stack;
  if (postgres[0] === undefined || kafka === null) throw new Error('the stack is not complete');
  const place = await worldOn(NAME, { postgres: postgres[0], kafka });
  const { sql } = place;
  const system = debezium('tuned');
  const names = { name: run, table: SMALL_TABLE, publication: `${run}_pub` };
  const topic = system.topicOf(names);
  let peer: Peer | undefined;
  return {
    system: system.name,
    topic,
    start: async () => {
      await sql.query(`CREATE PUBLICATION ${names.publication} FOR TABLE ${SMALL_TABLE}`);
      await sql.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [run]);
      await place.makeTopic(topic, READABLE);
      peer = await system.open(place, names);
      await peer.start();
    },
    stop: async () => {
      await peer?.stop();
      await untilSlotFree(place, run);
      await sql.query('SELECT pg_drop_replication_slot($1)', [run]);
      await sql.query(`DROP PUBLICATION ${names.publication}`);
      await sql.end(); // the servers are the bench's
    },
  };
}
