import type { KafkaConnectionOptions } from '@pgstream/kafka-client';
import { endpoints } from '@pgstream/test-kit';

export const connection: KafkaConnectionOptions = {
  brokers: endpoints().kafkaBrokers,
  clientId: 'change-consumer-test',
  connectionTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
};
