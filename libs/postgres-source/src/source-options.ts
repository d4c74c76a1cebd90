import type { Clock } from '@pgstream/failure';
import type { Lsn } from '@pgstream/wal-event';
import type { ClientConfig } from 'pg';
import type { SchemaHistoryPort } from './history-port.ts';
import type { FlightRecorder } from './recorder/flight-recorder.ts';
import type { StartFacts } from './stream/prepare.ts';
import type { SourceObserver } from './stream/source-facts.ts';
import type { TableFilter } from './stream/table-filter.ts';

export interface PostgresSourceOptions {
  /** Where to connect, or how to find out: asked before each connection. Session settings are pinned on top of it. */
  readonly connection: ClientConfig | (() => Promise<ClientConfig>);
  readonly slot: string;
  readonly publications: readonly string[];
  /** Grows when the LSNs of the cluster start over; part of every event id. */
  readonly epoch: number;
  readonly history: SchemaHistoryPort;
  /** Tells instances apart in pg_stat_activity: host and process, for example. */
  readonly instance: string;
  readonly filter?: TableFilter;
  /** Compares what a new connection found with what is recorded; throws to refuse the START. Called before every START. */
  readonly beforeStart?: (facts: StartFacts) => Promise<void>;
  /** A transaction that the sink holds, by the LSN of its COMMIT: unless it is confirmed, the stream must bring it again. */
  readonly mustSee?: Lsn;
  readonly observer?: SourceObserver;
  /** Writes what could not be decoded to a file. */
  readonly recorder?: FlightRecorder;
  /** Memory of the server's decoder before it spills to disk. Default `256MB`. */
  readonly decodingWorkMem?: string;
  /** All batches together that are not given back. Default 32 MiB; one long row may exceed it. */
  readonly bufferBytes?: number;
  /** A batch is cut at this size, and earlier whenever somebody waits for it. Default 512 KiB. */
  readonly batchBytes?: number;
  /** Rest after a short read. Default 1; 0 reads eagerly. */
  readonly lazyReadMs?: number;
  /** Default 1000, less where `wal_sender_timeout` asks for it. */
  readonly statusIntervalMs?: number;
  /** Waits between connections: full jitter below a limit that doubles. Default 100 ms to 10 s. */
  readonly retry?: { readonly initialMs: number; readonly maxMs: number };
  readonly clock?: Clock;
  readonly random?: () => number;
}
