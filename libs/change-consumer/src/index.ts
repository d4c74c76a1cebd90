export { ChangeConsumer, type ChangeConsumerOptions, type ConsumerCounts } from './change-consumer.ts';
export type { KafkaCheckpoint } from './consumed-lane.ts';
