export { ChangeConsumer, type ChangeConsumerOptions } from './change-consumer.ts';
export type { KafkaCheckpoint } from './consumed-lane.ts';
export type { ConsumerCounts } from './consumer-counts.ts';
export { PartitionReader, type PartitionChunk, type PartitionReaderOptions } from './partition-reader.ts';
