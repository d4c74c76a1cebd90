export { ChangeConsumer } from './change-consumer.ts';
export type { ChangeConsumerOptions } from './options.ts';
export type { KafkaCheckpoint } from './consumed-lane.ts';
export type { ConsumerCounts } from './consumer-counts.ts';
export {
  PartitionReader,
  type PartitionChunk,
  type PartitionReaderOptions,
  type RecordPlace,
} from './partition-reader.ts';
