export {
  createKafka,
  type KafkaConnectionOptions,
  type KafkaLogLine,
  type KafkaSaslOptions,
  type KafkaTlsOptions,
} from './connection/kafka-connection.ts';
export { Cluster } from './connection/cluster.ts';
export { partitionOfKey } from './protocol/murmur2.ts';
export type { FetchedBatch, FetchedRecord } from './protocol/record-batch-reader.ts';
export {
  RECORD_OVERHEAD_BYTES,
  RecordBatchWriter,
  stampBatch,
  type BatchCodec,
  type RecordHeader,
} from './protocol/record-batch-writer.ts';
export {
  IdempotentProducer,
  type IdempotentProducerOptions,
  type OutgoingBatch,
} from './producer/idempotent-producer.ts';
export { createTopic } from './topic/create-topic.ts';
export { ensureTopic, type TopicFacts, type TopicOptions } from './topic/ensure-topic.ts';
export { LogReader } from './topic/log-reader.ts';
export { BatchConsumer, type BatchConsumerOptions, type PartitionEvents } from './consumer/batch-consumer.ts';
export type { FetchedRecords } from './consumer/fetch-lanes.ts';
export type { OffsetCommit } from './consumer/group-session.ts';
export { RecordSetReader } from './consumer/record-set-reader.ts';
export type { AssignedPartition } from './consumer/start-offsets.ts';
export {
  deadLetterTopic,
  KafkaDeadLetterStore,
  listDeadLetters,
  type KafkaDeadLetterOptions,
} from './dead-letters/kafka-dead-letter-store.ts';
export { letterIdOf, type StoredDeadLetter } from './dead-letters/letter-json.ts';
export { describeGroup, listGroups, type GroupDescription } from './admin/consumer-groups.ts';
export { consumerLag, LagReader, type LagOptions, type PartitionLag } from './admin/consumer-lag.ts';
