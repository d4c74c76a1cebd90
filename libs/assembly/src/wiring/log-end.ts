import { Cluster, LogReader } from '@pgstream/kafka-client';
import { findHeartbeats, publishedSince, readTails, type Published } from '@pgstream/kafka-sink';
import { PipelineError } from '@pgstream/failure';
import { formatLsn, type Lsn } from '@pgstream/wal-event';
import { retryPolicy } from '../config/retry-policy.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { startWithRetry } from '../runtime/start-with-retry.ts';
import { kafkaConnection } from './kafka-connection.ts';

/** How far the log of a source reaches: compared with the server before START. */
export interface LogEnd {
  /** LSN of the COMMIT of the newest record of this epoch, as text; `null`: none. */
  readonly lsn: string | null;
  /** The newest commit that the server must know as well: that of a row. */
  readonly mustSee: Lsn | null;
}

export interface SourceOfLog {
  readonly sourceId: string;
  readonly epoch: number;
}

/** The topic as it was before this process writes to it. */
export interface PublishedLog {
  /** @throws {PipelineError} PG_POSITION_AHEAD where the log is of a later epoch than the database knows. */
  end(source: SourceOfLog): Promise<LogEnd>;
  /** By table, what was published of transactions from `from` on. */
  since(epoch: number, from: Lsn): Promise<Published[]>;
}

const TIMEOUT_MS = 30_000;
const SETTING = 'PGSTREAM_KAFKA_WRITER_SERVERS, PGSTREAM_KAFKA_TOPIC_NAME';

export function publishedLog(context: RunContext): PublishedLog {
  const { config } = context;
  const { name: topic } = config.kafka.topic;
  const reading = async <T>(work: (log: LogReader, partitions: number) => Promise<T>): Promise<T | null> => {
    const policy = retryPolicy(config.postgres.retry);
    return await startWithRetry(context, { part: 'kafka', policy, setting: SETTING }, async () => {
      const cluster = new Cluster(kafkaConnection(config, 'writer'), topic);
      try {
        await cluster.refresh();
        return await work(new LogReader(cluster, TIMEOUT_MS), cluster.partitionCount);
      } catch (cause) {
        // It is made, or its lack reported, when it is opened for writing
        if (cause instanceof PipelineError && cause.code === 'KAFKA_TOPIC_MISSING') return null;
        throw cause;
      } finally {
        cluster.close();
      }
    });
  };
  return {
    end: async (source) =>
      (await reading((log, count) => endOf(log, count, { ...source, topic }))) ?? NOTHING,
    since: async (epoch, from) =>
      (await reading((log, count) => publishedSince(log, count, { epoch, from }))) ?? [],
  };
}

const NOTHING: LogEnd = { lsn: null, mustSee: null };

async function endOf(
  log: LogReader,
  partitions: number,
  { sourceId, epoch, topic }: SourceOfLog & { readonly topic: string },
): Promise<LogEnd> {
  const tails = await readTails(log, partitions, topic);
  const heartbeats = await findHeartbeats(log, tails);
  // The topic of somebody else is refused when it is opened; its positions mean nothing here
  if (heartbeats.some((heartbeat) => heartbeat.sourceId !== sourceId)) return NOTHING;
  const newest = Math.max(0, ...tails.map((tail) => (tail.position === null ? 0 : tail.epoch)));
  if (newest > epoch) {
    throw new PipelineError('PG_POSITION_AHEAD', {
      detail: `The log is of epoch ${newest}, the database knows epoch ${epoch}: it is older than the log.`,
    });
  }
  const ours = tails.filter((tail) => tail.epoch === epoch);
  const end = latest(ours.map(({ position }) => position?.commitLsn ?? null));
  const mustSee = latest(
    ours.map(({ position, endsInRow }) => (endsInRow ? (position?.commitLsn ?? null) : null)),
  );
  return { lsn: end === null ? null : formatLsn(end), mustSee };
}

function latest(lsns: readonly (Lsn | null)[]): Lsn | null {
  return lsns.reduce<Lsn | null>(
    (max, lsn) => (lsn !== null && (max === null || lsn > max) ? lsn : max),
    null,
  );
}
