import type { BenchWorld } from '../bench-world.ts';

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
