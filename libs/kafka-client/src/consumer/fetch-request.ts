import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';

/** Fetch version 11: the last one that names topics by name and that every broker since 2.3 speaks. */
export const FETCH = { apiKey: 1, apiVersion: 11, apiName: 'Fetch' } as const;

export interface FetchRequest {
  readonly topic: string;
  /** How long the broker holds the answer back when there is nothing new. */
  readonly maxWaitMs: number;
  /** Of the whole answer; a first batch that is larger comes all the same. */
  readonly maxBytes: number;
  readonly partitions: ReadonlyArray<{
    readonly partition: number;
    readonly offset: number;
    readonly maxBytes: number;
  }>;
}

export interface FetchedPartition {
  readonly partition: number;
  /** Error code of the Kafka protocol; 0 is success. */
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly logStart: number;
  /** RecordBatch v2 frames back to back, the last one possibly cut off. A view into the answer. */
  readonly records: Buffer;
}

const PARTITION_BYTES = 4 + 4 + 8 + 8 + 4;

/**
 * The body of a Fetch request without a fetch session.
 * https://kafka.apache.org/protocol#The_Messages_Fetch
 */
export function encodeFetch(request: FetchRequest): Buffer {
  const { topic, partitions } = request;
  const topicBytes = Buffer.byteLength(topic);
  const out = Buffer.allocUnsafe(43 + topicBytes + partitions.length * PARTITION_BYTES);
  let p = out.writeInt32BE(-1, 0); // replica id of a consumer
  p = out.writeInt32BE(request.maxWaitMs, p);
  p = out.writeInt32BE(1, p); // min bytes: answer with the first record
  p = out.writeInt32BE(request.maxBytes, p);
  p = out.writeInt8(0, p); // read uncommitted: the log holds no transactions
  p = out.writeInt32BE(0, p); // session id
  p = out.writeInt32BE(-1, p); // session epoch: none
  p = out.writeInt32BE(1, p);
  p = out.writeInt16BE(topicBytes, p);
  p += out.write(topic, p);
  p = out.writeInt32BE(partitions.length, p);
  for (const { partition, offset, maxBytes } of partitions) {
    p = out.writeInt32BE(partition, p);
    p = out.writeInt32BE(-1, p); // current leader epoch: unknown
    p = out.writeBigInt64BE(BigInt(offset), p);
    p = out.writeBigInt64BE(-1n, p); // log start offset: of followers only
    p = out.writeInt32BE(maxBytes, p);
  }
  p = out.writeInt32BE(0, p); // forgotten topics
  p = out.writeInt16BE(0, p); // rack
  return out.subarray(0, p);
}

/**
 * Reads the body of the answer for one topic.
 * @throws {PipelineError} KAFKA_FETCH_FAILED when the answer as a whole is an error.
 */
export function decodeFetch(body: Buffer): FetchedPartition[] {
  const errorCode = body.readInt16BE(4);
  if (errorCode !== 0) throw new PipelineError('KAFKA_FETCH_FAILED', { facts: { errorCode } });
  let p = 10;
  const fetched: FetchedPartition[] = [];
  const topics = body.readInt32BE(p);
  p += 4;
  for (let t = 0; t < topics; t++) {
    p += 2 + body.readInt16BE(p);
    const partitions = body.readInt32BE(p);
    p += 4;
    for (let i = 0; i < partitions; i++) p = decodePartition(body, p, fetched);
  }
  return fetched;
}

function decodePartition(body: Buffer, at: number, fetched: FetchedPartition[]): number {
  let p = at + 30 + 4 + Math.max(body.readInt32BE(at + 30), 0) * 16; // aborted transactions
  p += 4; // preferred read replica
  const size = Math.max(body.readInt32BE(p), 0);
  p += 4;
  fetched.push({
    partition: body.readInt32BE(at),
    errorCode: body.readInt16BE(at + 4),
    highWatermark: Number(body.readBigInt64BE(at + 6)),
    logStart: Number(body.readBigInt64BE(at + 22)),
    records: body.subarray(p, p + size),
  });
  return p + size;
}
