export { AFTER_HEADER, decodeHeartbeat, KIND_HEADER, routingHash, type Heartbeat } from './heartbeat.ts';
export { KafkaSink } from './kafka-sink.ts';
export type { Keying } from './key.ts';
export {
  KAFKA_SINK_DEFAULTS,
  openKafkaSink,
  type KafkaSinkEvent,
  type KafkaSinkOptions,
} from './open-kafka-sink.ts';
export { findHeartbeats, readTails, type PartitionTail } from './recovery.ts';
export { publishedSince, type Published } from './published-since.ts';
