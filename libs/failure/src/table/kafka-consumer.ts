import type { ErrorSpec } from '../error-spec.ts';

export const KAFKA_CONSUMER_ERRORS = {
  KAFKA_OFFSETS_LOST: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The log no longer holds the records that the consumer group has yet to read.',
    action:
      'Retention overtook the group. Rebuild the sink from a snapshot, or accept the gap that the message names by ' +
      'starting with the option to go on from the start of the log; then give the topic a longer retention.',
  },
  KAFKA_TOPIC_RECREATED: {
    disposition: 'halt',
    exitCode: 78,
    summary:
      'The group has read further than the topic reaches: the topic was deleted and created again, or truncated.',
    action: 'Find out who replaced the topic. Use another consumer group, or reset the offsets of this one.',
  },
  KAFKA_FETCH_FAILED: {
    disposition: 'retry',
    summary: 'A broker refused a fetch.',
    action: 'None: the consumer tries again. If it persists, look up the Kafka error code of the log line.',
  },
  KAFKA_GROUP_REFUSED: {
    disposition: 'halt',
    summary: 'The broker does not let this consumer take part in its group.',
    action:
      'Read the cause in the log line: it names the Kafka error. Check ACLs on the group and on the topic.',
  },
  KAFKA_RECORDS_CORRUPT: {
    disposition: 'halt',
    summary: 'A record batch in the log is damaged.',
    action: 'Check the disks of the brokers; the message names the offset. Nothing after it was confirmed.',
  },
  KAFKA_CODEC_UNSUPPORTED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The log holds batches in a compression that the consumer does not read.',
    action:
      'Only none, gzip and zstd are read. See who else writes to the topic, or which compression.type it sets.',
  },
} as const satisfies Record<string, ErrorSpec>;
