import type { Lsn, Position } from '@pgstream/wal-event';
import type { LogEntry } from './log.ts';
import type { CommittedEntry } from './workload.ts';

/** Everything that was seen of one run under a fault: what the checks of the ledger judge. */
export interface Evidence {
  /**
   * How far the log must reach: `all` of what was committed, or, where the fault is one that must stop the product,
   * `until-stopped`: up to some transaction, and no hole before it.
   */
  readonly extent: 'all' | 'until-stopped';
  /** By schema: number of the entry to the changes of its transaction, as the tables `ledger` hold them. */
  readonly committed: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** What writers were told. */
  readonly acknowledged: readonly CommittedEntry[];
  /** `null` where the records do not pass a log. */
  readonly log: readonly LogEntry[] | null;
  /** Positions of records that were parked in place of being written to the log. */
  readonly parked: readonly Position[];
  /** Between tables (or, after a stop, the log) and index, and between tables and a replay of the log. */
  readonly differences: readonly string[];
  readonly progress: readonly ProgressSample[];
  readonly resources: readonly ResourceFigures[];
  readonly catchUp: CatchUp;
  readonly visible: Visibility;
}

/** Read in this order, so that each line is a lower bound of what the next must show. */
export interface ProgressSample {
  readonly confirmed: Lsn | null;
  /** End of each partition: what the log held durably when `confirmed` had been read. */
  readonly ends: ReadonlyMap<number, bigint> | null;
  /** The group's next offset by partition. */
  readonly offsets: ReadonlyMap<number, bigint> | null;
  /** By schema: entries of `ledger` that the index held when `offsets` had been read. */
  readonly indexed: ReadonlyMap<string, ReadonlySet<number>> | null;
}

export interface ResourceFigures {
  /** The process, or what is measured of all. */
  readonly name: string;
  readonly what: 'memory' | 'descriptors' | 'disk';
  readonly value: number;
  readonly bound: number;
  readonly unit: string;
}

export interface CatchUp {
  /** From the healing of the fault until everything committed was in its place; `null` if it never was. */
  readonly ms: number | null;
  readonly boundMs: number;
}

export interface Visibility {
  readonly exits: readonly ProcessExit[];
  /**
   * What must have ended, and how: the error of at least one process, errors that others may end with in its wake, and the
   * exit code. `null`: nothing ends by itself.
   */
  readonly expectedExit: {
    readonly code: string;
    readonly also?: readonly string[];
    readonly exitCode: number;
  } | null;
  /** Sums over all processes of the metrics that count what was skipped, parked or is missing. */
  readonly counters: ReadonlyMap<string, number>;
  /** Of them, what the fault must be reported by; all others must be 0, parked records apart. */
  readonly expectedCounter: string | null;
  /** Dead letters in the store. */
  readonly letters: number;
  /** Lines of the processes' logs that name a parked record. */
  readonly lettersLogged: number;
  /** Whether records must have been parked. */
  readonly expectsLetters: boolean;
}

export interface ProcessExit {
  readonly name: string;
  readonly exitCode: number | string;
  /** Codes of the error table that its last log lines name. */
  readonly codes: readonly string[];
  /** It said what to do. */
  readonly hasRemedy: boolean;
}
