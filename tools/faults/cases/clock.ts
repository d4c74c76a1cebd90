import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const group = 'clock';
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Every process of the product is started with a clock that can be set from here. */
const ADJUSTABLE_CLOCK = {
  NODE_OPTIONS: `--import=${join(workspaceRoot(), 'tools/faults/adjustable-clock.mjs')}`,
};

/** The wall clock of all processes is moved, and they go on for a while. Clocks of durations do not move: no system moves them. */
async function jump(scene: Scene, ...offsetsMs: readonly number[]): Promise<void> {
  for (const offsetMs of offsetsMs) {
    writeFileSync(scene.clockFile, String(offsetMs));
    await scene.untilIndexed(5);
    await scene.kill('producer');
    await scene.untilIndexed(5);
  }
}

/** The wall clock of the machine that the product runs on. */
export const CLOCK_FAULTS: readonly Fault[] = [
  {
    name: 'clock-forward',
    group,
    summary: 'The wall clock jumps ten minutes ahead, then fifty; the producer is killed after each.',
    expects: { kind: 'resumes' },
    environment: ADJUSTABLE_CLOCK,
    run: async (scene) => jump(scene, 10 * MINUTE_MS, 50 * MINUTE_MS),
  },
  {
    name: 'clock-month-ahead',
    group,
    summary:
      'The wall clock is a month ahead when the producer starts: brokers refuse what claims to be from more than an hour ahead.',
    expects: { kind: 'stops', code: 'KAFKA_TIMESTAMP_REFUSED', exitCode: 1, who: 'producer' },
    environment: ADJUSTABLE_CLOCK,
    async run(scene) {
      writeFileSync(scene.clockFile, String(30 * 24 * HOUR_MS));
      await scene.kill('producer');
      await scene.untilCommitted(10);
    },
  },
  {
    name: 'clock-back',
    group,
    summary: 'The wall clock jumps an hour back, then to 1970; the producer is killed after each.',
    expects: { kind: 'resumes' },
    environment: ADJUSTABLE_CLOCK,
    run: async (scene) => jump(scene, -HOUR_MS, 1_000 - Date.now()),
  },
  {
    name: 'clock-restless',
    group,
    summary: 'The wall clock jumps to and fro by up to ten minutes, five times a second.',
    expects: { kind: 'resumes' },
    environment: ADJUSTABLE_CLOCK,
    async run(scene) {
      for (let i = 0; i < 20; i++) {
        writeFileSync(scene.clockFile, String(scene.random.int(-600_000, 600_000)));
        await scene.linger(200);
      }
    },
  },
];
