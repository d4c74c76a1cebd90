import type { Environment } from '../system/system.ts';
import type { Scene } from './scene.ts';

export type FaultGroup = 'control' | 'network' | 'process' | 'postgres' | 'kafka' | 'search' | 'clock';

/** What the product must do under a fault. */
export type Expectation =
  /** Goes on by itself once the fault is over. */
  | {
      readonly kind: 'resumes';
      /** Records are parked on the way: the rest is in its place. */
      readonly parks?: true;
      /**
       * Documents were taken out of the index of this table by hand, of the first schema: they are not there any more, and
       * this counter says so.
       */
      readonly reports?: { readonly counter: 'stale tables'; readonly table: string };
      /** Processes may end with exit code 1 and be started again, as any supervisor does. */
      readonly restarts?: true;
    }
  /** Ends with this error, whose text says what to do; up to there, nothing is missing. */
  | {
      readonly kind: 'stops';
      readonly code: string;
      /** What other processes may end with in its wake. */
      readonly also?: readonly string[];
      readonly exitCode: 1 | 78;
      readonly who: 'producer' | 'indexer';
    };

export interface Fault {
  readonly name: string;
  readonly group: FaultGroup;
  /** One sentence: what happens. */
  readonly summary: string;
  readonly expects: Expectation;
  /**
   * `shared`: harms nobody else on the same servers. `own`: servers are stopped, or changed as a whole. `brokers`: three
   * of them. `standby`: a PostgreSQL that can be promoted.
   */
  readonly servers?: 'shared' | 'own' | 'brokers' | 'standby';
  /** Default `kafka`: producer, log, two workers. `direct`: one process from the database to the index. */
  readonly route?: 'kafka' | 'direct';
  readonly environment?: Environment;
  /** Flags of a second `pgstream init`. */
  readonly init?: readonly string[];
  /** Settings of the source database, by ALTER DATABASE. */
  readonly database?: Environment;
  /** Default: a transaction of each of two writers every 30 ms on average, and all checks. */
  readonly load?: { readonly pauseMs: number; readonly watchesProgress: boolean };
  /** From the end of the fault until the lag is back at zero. Default 60 s. */
  readonly catchUpMs?: number;
  /** Injects the fault while the workload runs, waits for it to have met something, and takes it away again. */
  run(scene: Scene): Promise<void>;
}
