import type { Buffer } from 'node:buffer';
import type { ApiRequest } from '../connection/broker-connection.ts';
import { WireWriter, type WireReader } from './wire.ts';

/** Each pair builds one request and reads its answer, at versions that brokers from 2.8 to 4.x speak. */

export interface ClusterMetadata {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly clusterId: string;
  readonly topics: readonly TopicMetadata[];
}

export interface TopicMetadata {
  readonly errorCode: number;
  readonly name: string;
  /** 32 hexadecimal digits; another one after the topic was deleted and created again. */
  readonly topicId: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly errorCode: number;
    readonly leader: number;
  }[];
}

export function metadataRequest(topics: readonly string[]): ApiRequest {
  const body = new WireWriter().uvarint(topics.length + 1);
  for (const topic of topics) body.int64(0n).int64(0n).compactString(topic).uvarint(0);
  // Topic creation off, no authorised operations wanted.
  body.int8(0).int8(0).int8(0).uvarint(0);
  return { key: 3, version: 10, flexible: true, body: body.finish() };
}

export function readMetadata(answer: WireReader): ClusterMetadata {
  answer.int32();
  const brokers = answer.compactArray(() => {
    const broker = { nodeId: answer.int32(), host: answer.compactString() ?? '', port: answer.int32() };
    answer.compactString();
    answer.skipTags();
    return broker;
  });
  const clusterId = answer.compactString() ?? '';
  answer.int32();
  return { brokers, clusterId, topics: answer.compactArray(() => readTopic(answer)) };
}

function readTopic(answer: WireReader): TopicMetadata {
  const errorCode = answer.int16();
  const name = answer.compactString() ?? '';
  const topicId = answer.raw(16).toString('hex');
  answer.int8();
  const partitions = answer.compactArray(() => {
    const partition = { errorCode: answer.int16(), partition: answer.int32(), leader: answer.int32() };
    answer.int32();
    for (let lists = 0; lists < 3; lists += 1) answer.compactArray(() => answer.int32());
    answer.skipTags();
    return partition;
  });
  answer.int32();
  answer.skipTags();
  return { errorCode, name, topicId, partitions };
}

export function findCoordinatorRequest(transactionalId: string): ApiRequest {
  return { key: 10, version: 1, body: new WireWriter().string(transactionalId).int8(1).finish() };
}

export function readCoordinator(answer: WireReader): { errorCode: number; host: string; port: number } {
  answer.int32();
  const errorCode = answer.int16();
  answer.string();
  answer.int32();
  return { errorCode, host: answer.string() ?? '', port: answer.int32() };
}

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/**
 * Version 3: the first that takes the identity to be renewed. With it the coordinator refuses where another producer of this
 * name came in between; without it it locks out whoever was there.
 */
export function initProducerIdRequest(
  transactionalId: string | null,
  transactionTimeoutMs: number,
  renewed: ProducerIdentity = { producerId: -1n, producerEpoch: -1 },
): ApiRequest {
  const body = new WireWriter();
  if (transactionalId === null) body.uvarint(0);
  else body.compactString(transactionalId);
  body.int32(transactionTimeoutMs).int64(renewed.producerId).int16(renewed.producerEpoch).uvarint(0);
  return { key: 22, version: 3, flexible: true, body: body.finish() };
}

export function readProducerId(answer: WireReader): ProducerIdentity & { readonly errorCode: number } {
  answer.int32();
  const errorCode = answer.int16();
  const identity = { producerId: answer.int64(), producerEpoch: answer.int16() };
  answer.skipTags();
  return { errorCode, ...identity };
}

export interface ProducePart {
  readonly partition: number;
  readonly batch: Buffer;
}

/** Version 7: the first that takes zstd. The batches travel as they are, uncopied. */
export function produceRequest(topic: string, parts: readonly ProducePart[], timeoutMs: number): ApiRequest {
  const head = new WireWriter()
    .string(null)
    .int16(-1)
    .int32(timeoutMs)
    .int32(1)
    .string(topic)
    .int32(parts.length);
  const tail: Buffer[] = [];
  for (const { partition, batch } of parts) {
    tail.push(new WireWriter().int32(partition).int32(batch.length).finish(), batch);
  }
  return { key: 0, version: 7, body: head.finish(), tail };
}

export interface ProduceAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: bigint;
}

export function readProduce(answer: WireReader): ProduceAnswer[] {
  const topics = answer.array(() => {
    answer.string();
    return answer.array(() => {
      const item = { partition: answer.int32(), errorCode: answer.int16(), baseOffset: answer.int64() };
      answer.int64();
      answer.int64();
      return item;
    });
  });
  return topics.flat();
}

/** Timestamps of a ListOffsets request that ask for an end of the log instead. */
export const LATEST = -1n;
export const EARLIEST = -2n;

export function listOffsetsRequest(
  topic: string,
  partitions: readonly number[],
  timestamp: bigint,
): ApiRequest {
  const body = new WireWriter().int32(-1).int32(1).string(topic).int32(partitions.length);
  for (const partition of partitions) body.int32(partition).int64(timestamp);
  return { key: 2, version: 1, body: body.finish() };
}

export function readOffsets(answer: WireReader): { partition: number; errorCode: number; offset: bigint }[] {
  const topics = answer.array(() => {
    answer.string();
    return answer.array(() => {
      const partition = answer.int32();
      const errorCode = answer.int16();
      answer.int64();
      return { partition, errorCode, offset: answer.int64() };
    });
  });
  return topics.flat();
}

/** The batch that holds `offset`, and what follows while it fits. Version 10: the first that returns zstd. */
export function fetchRequest(
  topic: string,
  partition: number,
  offset: bigint,
  maxBytes = 64 * 1024,
): ApiRequest {
  const body = new WireWriter().int32(-1).int32(0).int32(1).int32(maxBytes).int8(0).int32(0).int32(-1);
  body
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(partition)
    .int32(-1)
    .int64(offset)
    .int64(-1n)
    .int32(maxBytes)
    .int32(0);
  return { key: 1, version: 10, body: body.finish() };
}

export function readFetch(answer: WireReader): { errorCode: number; records: Buffer | null } {
  answer.int32();
  let errorCode = answer.int16();
  answer.int32();
  const [records = null] = answer
    .array(() => {
      answer.string();
      return answer.array(() => {
        answer.int32();
        const partitionError = answer.int16();
        if (partitionError !== 0) errorCode = partitionError;
        for (let offsets = 0; offsets < 3; offsets += 1) answer.int64();
        answer.array(() => [answer.int64(), answer.int64()]);
        return answer.bytes();
      });
    })
    .flat();
  return { errorCode, records };
}
