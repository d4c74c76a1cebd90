import fc from 'fast-check';
import type { Lsn } from '@pgstream/wal-event';
import { findCommit, lastEpoch, type CommitPlace } from './log-positions.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made up
const at = (epoch: number, lsn: number): CommitPlace => ({ epoch, commitLsn: BigInt(lsn) as Lsn });

/** A partition in memory; `undefined` is a heartbeat. */
class Partition {
  looks = 0;
  readonly #places: readonly (CommitPlace | undefined)[];
  readonly #start: number;

  constructor(start: number, places: readonly (CommitPlace | undefined)[]) {
    this.#start = start;
    this.#places = places;
  }

  async recordAt(_partition: number, offset: number) {
    this.looks++;
    for (let i = Math.max(0, offset - this.#start); i < this.#places.length; i++) {
      const place = this.#places[i];
      if (place !== undefined) return await Promise.resolve({ ...place, offset: this.#start + i });
    }
    return undefined;
  }
}

/** Commits that grow, several records of one commit, heartbeats among them, a new epoch now and then. */
const logs = fc
  .array(fc.record({ step: fc.integer({ min: 0, max: 3 }), kind: fc.integer({ min: 0, max: 9 }) }), {
    maxLength: 60,
  })
  .map((steps) => {
    let [epoch, lsn] = [1, 1];
    return steps.map(({ step, kind }) => {
      if (kind === 9) [epoch, lsn] = [epoch + 1, 1];
      lsn += step;
      return kind < 3 ? undefined : at(epoch, lsn);
    });
  });

test('the first record at or behind a commit is found, wherever heartbeats and epochs are, and no earlier one is passed', async () => {
  await fc.assert(
    fc.asyncProperty(
      logs,
      fc.nat(50),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(40),
      async (places, start, epoch, lsn) => {
        const stretch = { partition: 0, from: start, to: start + places.length };
        const target = at(epoch, lsn);
        const found = await findCommit(new Partition(start, places), stretch, target);
        const isEarlier = (place: CommitPlace) =>
          place.epoch < epoch || (place.epoch === epoch && place.commitLsn < target.commitLsn);
        const before = places.slice(0, found.offset - start);
        const behind = places.slice(found.offset - start);
        expect(behind.some((place) => place !== undefined && isEarlier(place))).toBe(false);
        expect(before.some((place) => place !== undefined && !isEarlier(place))).toBe(false);
        expect(found.hasEarlier).toBe(places.some((place) => place !== undefined && isEarlier(place)));
        const epochs = places.flatMap((place) => place?.epoch ?? []);
        expect(await lastEpoch(new Partition(start, places), stretch)).toBe(epochs.at(-1));
      },
    ),
  );
});

test('a million records are looked at twenty times', async () => {
  const log = new Partition(
    0,
    Array.from({ length: 1_000_000 }, (_, i) => at(1, i)),
  );
  const stretch = { partition: 0, from: 0, to: 1_000_000 };
  expect(await findCommit(log, stretch, at(1, 765_432))).toEqual({ offset: 765_432, hasEarlier: true });
  expect(log.looks).toBeLessThanOrEqual(20);
});
