import type { LagOptions, PartitionLag } from '@pgstream/kafka-client';
import type { PgstreamConfig } from '../config/settings.ts';
import { kafkaConnection } from './kafka-connection.ts';

export interface LagRow extends PartitionLag {
  readonly group: string;
  readonly topic: string;
}

/** Whose lag is meant: the configured group on the configured topic. */
export function lagOptions(config: PgstreamConfig): LagOptions {
  return {
    connection: kafkaConnection(config, config.kafka.readerServers === null ? 'writer' : 'reader'),
    topic: config.kafka.topic.name,
    groupId: config.kafka.consumer.groupId,
  };
}

export function lagRow(config: PgstreamConfig, lag: PartitionLag): LagRow {
  return { group: config.kafka.consumer.groupId, topic: config.kafka.topic.name, ...lag };
}
