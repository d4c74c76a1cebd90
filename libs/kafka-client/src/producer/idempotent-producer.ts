import type { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import { mayRetry, type Cluster } from '../connection/cluster.ts';
import { untilDeadline } from '../connection/deadline.ts';
import { refusal } from '../connection/kafka-errors.ts';
import { brokerError } from '../protocol/error-codes.ts';
import { StallGuard } from './stall-guard.ts';
import { stampBatch } from '../protocol/record-batch-writer.ts';
import {
  initProducerIdRequest,
  produceRequest,
  readProducerId,
  readProduce,
  type ProduceAnswer,
  type ProducerIdentity,
} from '../protocol/requests.ts';

export interface IdempotentProducerOptions {
  readonly cluster: Cluster;
  /** The fence: a second producer of this name gets the same producer id with a higher epoch. `null` for none. */
  readonly transactionalId: string | null;
  /** How long the broker may wait for replicas. */
  readonly requestTimeoutMs: number;
  /** From the first attempt; then the producer is dead and only reading the log tells what it holds. */
  readonly deliveryTimeoutMs: number;
  /** A process that stood still for longer may have been forgotten by the brokers, and sends nothing more. Default: for ever. */
  readonly stallLimitMs?: number;
}

/** A finished batch of one partition. */
export interface OutgoingBatch {
  readonly partition: number;
  readonly batch: Buffer;
  readonly count: number;
}

/** Beyond this many records of one partition the producer id must be renewed: the broker's numbers wrap at 2^31. */
const RENEW_AT_SEQUENCE = 2 ** 31 - 2 ** 26;

/** Long enough to be taken by every broker; no transaction is ever opened. */
const TRANSACTION_TIMEOUT_MS = 60_000;

interface Outstanding extends OutgoingBatch {
  answer: ProduceAnswer | undefined;
}

/**
 * Each batch lands in the log exactly once and in order: one outstanding batch per partition, and a retry is the same
 * bytes with the same sequence. After any error that it throws it stays dead.
 */
export class IdempotentProducer {
  readonly #cluster: Cluster;
  readonly #options: IdempotentProducerOptions;
  readonly #sequences = new Map<number, number>();
  readonly #busy = new Set<number>();
  readonly #stall: StallGuard;
  #producerId = -1n;
  #producerEpoch = -1;
  #failure: PipelineError | undefined;

  constructor(options: IdempotentProducerOptions) {
    this.#options = options;
    this.#cluster = options.cluster;
    this.#stall = new StallGuard(options.stallLimitMs ?? Infinity);
  }

  get producerId(): bigint {
    return this.#producerId;
  }

  get producerEpoch(): number {
    return this.#producerEpoch;
  }

  /** Some partition is close to the end of its sequence numbers: call {@link init} between rounds. */
  get needsRenewal(): boolean {
    for (const sequence of this.#sequences.values()) if (sequence >= RENEW_AT_SEQUENCE) return true;
    return false;
  }

  /**
   * Takes the producer id, with a higher epoch than any producer before. Nothing may be outstanding.
   * The broker refuses the old epoch in a partition once one batch of the new epoch was written to it.
   */
  async init(): Promise<void> {
    await this.#init(undefined);
  }

  /**
   * Raises the epoch of the producer id that we have. Nothing may be outstanding.
   * @throws {PipelineError} KAFKA_PRODUCER_FENCED where another producer of this name came in between: it is not locked out.
   */
  async renew(): Promise<void> {
    const { producerId, producerEpoch } = this;
    await this.#init({ producerId, producerEpoch });
  }

  /** Says that the process runs: to be called more often than `stallLimitMs`. */
  tick(): void {
    this.#stall.tick();
  }

  async #init(renewed: ProducerIdentity | undefined): Promise<void> {
    this.#assertIdle();
    if (renewed === undefined) this.#stall.tick();
    this.#stall.check();
    const { transactionalId, deliveryTimeoutMs } = this.#options;
    const request = initProducerIdRequest(transactionalId, TRANSACTION_TIMEOUT_MS, renewed);
    const identity = await untilDeadline(this.#cluster, deliveryTimeoutMs, async () => {
      const answer =
        transactionalId === null
          ? await this.#cluster.request(this.#cluster.leaderOf(0), request, readProducerId)
          : await this.#cluster.requestCoordinator(transactionalId, request, readProducerId);
      if (answer.errorCode !== 0)
        throw refusal(answer.errorCode, `Producer id for ${transactionalId ?? 'dead letters'}`);
      return answer;
    });
    this.#producerId = identity.producerId;
    this.#producerEpoch = identity.producerEpoch;
    this.#sequences.clear();
  }

  /**
   * Resolves when every batch is acknowledged by all in-sync replicas, with the offset of each batch's first record in
   * the order given (`-1n` where the broker no longer knows it).
   * @throws {PipelineError} halting or `retry` by starting over; the producer is dead afterwards.
   */
  async send(batches: readonly OutgoingBatch[]): Promise<bigint[]> {
    if (this.#failure !== undefined) throw this.#failure;
    const outstanding = batches.map((batch): Outstanding => ({ ...batch, answer: undefined }));
    for (const { partition, batch } of outstanding) this.#claim(partition, batch);
    try {
      await this.#deliver(outstanding);
    } catch (cause) {
      this.#failure = asPipelineError(cause);
      throw this.#failure;
    } finally {
      for (const { partition } of outstanding) this.#busy.delete(partition);
    }
    return outstanding.map(({ answer }) => answer?.baseOffset ?? -1n);
  }

  #claim(partition: number, batch: Buffer): void {
    if (this.#busy.has(partition)) throw new Error(`partition ${partition} has an outstanding batch`);
    this.#busy.add(partition);
    stampBatch(batch, {
      producerId: this.#producerId,
      producerEpoch: this.#producerEpoch,
      baseSequence: this.#sequences.get(partition) ?? 0,
    });
  }

  async #deliver(outstanding: readonly Outstanding[]): Promise<void> {
    let isFirst = true;
    await untilDeadline(this.#cluster, this.#options.deliveryTimeoutMs, async () => {
      if (!isFirst) await this.#cluster.refresh();
      isFirst = false;
      await this.#attempt(outstanding.filter(({ answer }) => answer === undefined));
    });
    for (const { partition, count } of outstanding) {
      this.#sequences.set(partition, (this.#sequences.get(partition) ?? 0) + count);
    }
  }

  /** Sends to each leader at once; throws after every leader has answered or failed, so that no answer is overtaken. */
  async #attempt(outstanding: readonly Outstanding[]): Promise<void> {
    this.#stall.check();
    const byLeader = new Map<number, Outstanding[]>();
    for (const batch of outstanding) {
      const leader = this.#cluster.leaderOf(batch.partition);
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), batch]);
    }
    const results = await Promise.allSettled(
      [...byLeader].map(async ([leader, batches]) => await this.#sendTo(leader, batches)),
    );
    const failures = results
      .filter((result) => result.status === 'rejected')
      .map(({ reason }): PipelineError => asPipelineError(reason));
    // What cannot be retried decides.
    const failure = failures.find((error) => !mayRetry(error)) ?? failures[0];
    if (failure !== undefined) throw failure;
  }

  async #sendTo(leader: number, batches: readonly Outstanding[]): Promise<void> {
    const { requestTimeoutMs } = this.#options;
    // The broker gives up first, so that its reason arrives.
    const request = produceRequest(this.#cluster.topic, batches, Math.floor(requestTimeoutMs * 0.8));
    const answers = await this.#cluster.request(leader, request, readProduce);
    const failures = batches
      .map((batch) => noteAnswer(batch, answers))
      .filter((failure) => failure !== undefined);
    const failure = failures.find((error) => !mayRetry(error)) ?? failures[0];
    if (failure !== undefined) throw failure;
  }

  #assertIdle(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#busy.size > 0)
      throw new Error('the producer id cannot be renewed while batches are outstanding');
  }
}

function asPipelineError(cause: unknown): PipelineError {
  return cause instanceof PipelineError ? cause : new PipelineError('UNCLASSIFIED', { cause });
}

function noteAnswer(batch: Outstanding, answers: readonly ProduceAnswer[]): PipelineError | undefined {
  const answer = answers.find(({ partition }) => partition === batch.partition);
  if (answer === undefined)
    return new PipelineError('KAFKA_PROTOCOL_VIOLATED', { detail: 'A partition was not answered.' });
  if (answer.errorCode === 0 || brokerError(answer.errorCode).verdict === 'duplicate') {
    batch.answer = answer;
    return undefined;
  }
  return refusal(answer.errorCode, `Writing to partition ${batch.partition}`);
}
