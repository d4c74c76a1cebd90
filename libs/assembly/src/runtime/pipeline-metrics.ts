import type { PipelineObserver } from '@pgstream/pipeline';
import type { Metrics } from '@pgstream/service-runtime';
import type { RecordBatch } from '@pgstream/wal-event';
import type { PROCESS_METRICS } from '../metrics/metric-specs.ts';

/** Counts batches on their way, and knows whether the pipeline gets on. */
export class PipelineMetrics implements PipelineObserver {
  readonly #metrics: Metrics<typeof PROCESS_METRICS>;
  readonly #target: string;
  #batches = 0;
  #bytes = 0;
  #settled = 0;
  #newestCommitMs = 0;

  constructor(metrics: Metrics<typeof PROCESS_METRICS>, target: string) {
    this.#metrics = metrics;
    this.#target = target;
  }

  /** Batches that settled since the start: changes whenever something was done. */
  get settled(): number {
    return this.#settled;
  }

  get inFlight(): number {
    return this.#batches;
  }

  batchRead(batch: RecordBatch): void {
    this.#batches += 1;
    this.#bytes += bytesOf(batch);
  }

  batchSettled(batch: RecordBatch, durationMs: number): void {
    this.#batches -= 1;
    this.#bytes -= bytesOf(batch);
    this.#settled += 1;
    this.#metrics.pgstream_pipeline_records_total.inc({ target: this.#target }, batch.count);
    this.#metrics.pgstream_pipeline_settle_seconds.observe({ target: this.#target }, durationMs / 1000);
    const commitMs = batch.commitTimesMs[batch.count - 1] ?? 0;
    if (commitMs > this.#newestCommitMs) this.#newestCommitMs = commitMs;
  }

  /** No longer ours, and nothing to wait for: without this a worker at rest would look stuck after a rebalance. */
  batchAbandoned(batch: RecordBatch): void {
    this.#batches -= 1;
    this.#bytes -= bytesOf(batch);
  }

  /** Brings the gauges up to date. */
  sample(): void {
    this.#metrics.pgstream_pipeline_batches_in_flight.set(this.#batches);
    this.#metrics.pgstream_pipeline_bytes_in_flight.set(this.#bytes);
    if (this.#newestCommitMs > 0) {
      this.#metrics.pgstream_sink_last_commit_timestamp.set(
        { target: this.#target },
        this.#newestCommitMs / 1000,
      );
    }
  }
}

function bytesOf(batch: RecordBatch): number {
  return (batch.ends[batch.count - 1] ?? 0) - (batch.starts[0] ?? 0);
}
