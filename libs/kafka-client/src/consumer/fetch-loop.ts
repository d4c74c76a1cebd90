import { setTimeout as sleep } from 'node:timers/promises';
import { classify, PipelineError } from '@pgstream/failure';
import type { Cluster } from 'kafkajs';
import { fetchFrom } from './cluster-access.ts';
import type { FetchLane, FetchLanes } from './fetch-lanes.ts';
import type { FetchedPartition } from './fetch-request.ts';
import { classifyConsumerFailure } from './kafka-rules.ts';
import { nextOffsetOf } from './record-set-reader.ts';

export interface FetchLoopOptions {
  readonly topic: string;
  readonly maxWaitMs: number;
  /** Of one answer. */
  readonly maxFetchBytes: number;
  /** Of one partition in one answer; a lane with this much waiting is not fetched. */
  readonly maxPartitionBytes: number;
}

export interface FetchLoopEvents {
  /** Something can be taken. */
  readonly onRecords: () => void;
  readonly onRetry: (error: PipelineError, waitMs: number) => void;
  readonly onFailed: (error: PipelineError) => void;
  /** The broker does not have the offset that a lane asks for. */
  readonly onOutOfRange: (partition: number, offset: number) => Promise<void>;
}

/** While a lane is full, the others are asked for only this long, so that the full one is asked again soon. */
const SHORT_WAIT_MS = 10;
const OUT_OF_RANGE = 1;
/** A partition whose leader moves, restarts or catches up: refresh the metadata and ask again. */
const STALE_LEADER = new Set([3, 5, 6, 7, 9, 13, 56, 74, 75, 78]);
/** No such topic: for this long it may be metadata on its way, after that it is gone. */
const MISSING_AFTER_MS = 30_000;

/** Keeps one fetch in flight per broker that leads an owned partition, as long as there is room. */
export class FetchLoop {
  readonly #cluster: Cluster;
  readonly #lanes: FetchLanes;
  readonly #options: FetchLoopOptions;
  readonly #events: FetchLoopEvents;
  readonly #busy = new Set<string>();
  readonly #stopping = new AbortController();
  #scheduled = false;
  #backoffMs = 0;
  #missingSinceMs = 0;

  constructor(cluster: Cluster, lanes: FetchLanes, options: FetchLoopOptions, events: FetchLoopEvents) {
    this.#cluster = cluster;
    this.#lanes = lanes;
    this.#options = options;
    this.#events = events;
  }

  /** Looks for work: call when lanes were added, taken from or resumed. Cheap. */
  wake(): void {
    if (this.#scheduled || this.#stopping.signal.aborted) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  stop(): void {
    this.#stopping.abort();
  }

  #dispatch(): void {
    if (this.#stopping.signal.aborted || this.#backoffMs < 0) return;
    const { partitions } = this.#lanes;
    if (partitions.length === 0) return;
    let leaders: Record<string, number[]>;
    try {
      leaders = this.#cluster.findLeaderForPartitions(this.#options.topic, partitions);
    } catch (cause) {
      void this.#retry(cause);
      return;
    }
    for (const [nodeId, led] of Object.entries(leaders)) {
      if (!this.#busy.has(nodeId)) this.#fetchLed(nodeId, led);
    }
  }

  #fetchLed(nodeId: string, led: readonly number[]): void {
    const lanes: FetchLane[] = [];
    let hasFull = false;
    for (const partition of led) {
      const lane = this.#lanes.get(partition);
      if (lane === undefined || lane.paused) continue;
      if (lane.queuedBytes >= this.#options.maxPartitionBytes) hasFull = true;
      else lanes.push(lane);
    }
    if (lanes.length === 0) return;
    this.#busy.add(nodeId);
    const waitMs = hasFull ? SHORT_WAIT_MS : this.#options.maxWaitMs;
    void this.#fetch(nodeId, lanes, waitMs).finally(() => {
      this.#busy.delete(nodeId);
      this.wake();
    });
  }

  async #fetch(nodeId: string, lanes: readonly FetchLane[], maxWaitMs: number): Promise<void> {
    const { topic, maxFetchBytes: maxBytes, maxPartitionBytes } = this.#options;
    // Rotated, for the broker fills its answer in the order of the request.
    const first = Math.floor(Math.random() * lanes.length);
    const asked = [...lanes.slice(first), ...lanes.slice(0, first)].map((lane) => ({
      lane,
      partition: lane.partition,
      offset: lane.nextOffset,
      maxBytes: maxPartitionBytes,
    }));
    try {
      const fetched = await fetchFrom(this.#cluster, nodeId, {
        topic,
        maxWaitMs,
        maxBytes,
        partitions: asked,
      });
      if (this.#stopping.signal.aborted) return;
      const byPartition = new Map(asked.map((request) => [request.partition, request]));
      for (const answer of fetched) {
        const request = byPartition.get(answer.partition);
        if (request !== undefined) await this.#accept(request.lane, request.offset, answer);
      }
      this.#backoffMs = 0;
    } catch (cause) {
      await this.#retry(cause);
    }
  }

  async #accept(lane: FetchLane, offset: number, answer: FetchedPartition): Promise<void> {
    // Revoked or rewound while the fetch was under way: the answer is to a question that nobody asks any more.
    if (this.#lanes.get(lane.partition) !== lane || lane.nextOffset !== offset || lane.paused) return;
    if (answer.errorCode === OUT_OF_RANGE) return await this.#events.onOutOfRange(lane.partition, offset);
    if (answer.errorCode !== 0) throw refused(lane.partition, answer.errorCode);
    this.#missingSinceMs = 0;
    lane.highWatermark = answer.highWatermark;
    const next = nextOffsetOf(answer.records);
    if (next <= offset) return;
    const { records, highWatermark } = answer;
    this.#lanes.push(lane, { partition: lane.partition, records, fromOffset: offset, highWatermark }, next);
    this.#events.onRecords();
  }

  async #retry(cause: unknown): Promise<void> {
    if (this.#stopping.signal.aborted || this.#backoffMs < 0) return;
    const error = classifyConsumerFailure(cause);
    const fatal = error.disposition === 'retry' ? this.#missingTopic(error) : error;
    if (fatal !== undefined) return this.#events.onFailed(fatal);
    const capMs = Math.min(Math.max(this.#backoffMs * 2, 100), 2_000);
    this.#backoffMs = -1; // nobody dispatches while we wait
    const waitMs = capMs * (0.5 + Math.random() / 2);
    this.#events.onRetry(error, waitMs);
    await sleep(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
    await this.#cluster.refreshMetadata().catch(() => {}); // the next fetch says what is wrong
    this.#backoffMs = capMs;
    this.wake();
  }

  #missingTopic(error: PipelineError): PipelineError | undefined {
    if (error.facts['errorCode'] !== 3) return undefined;
    const now = performance.now();
    if (this.#missingSinceMs === 0) this.#missingSinceMs = now;
    if (now - this.#missingSinceMs < MISSING_AFTER_MS) return undefined;
    const { topic } = this.#options;
    return new PipelineError('KAFKA_TOPIC_MISSING', {
      cause: error,
      detail: `The topic "${topic}" is gone.`,
    });
  }
}

function refused(partition: number, errorCode: number): PipelineError {
  const facts = { partition, errorCode };
  if (STALE_LEADER.has(errorCode)) return new PipelineError('KAFKA_FETCH_FAILED', { facts });
  if (errorCode === 29)
    return new PipelineError('KAFKA_GROUP_REFUSED', { facts, detail: 'No READ on the topic.' });
  return classify(new PipelineError('UNCLASSIFIED', { facts, detail: `Fetch error code ${errorCode}.` }), []);
}
