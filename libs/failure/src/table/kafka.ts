import type { ErrorSpec } from '../error-spec.ts';

export const KAFKA_ERRORS = {
  KAFKA_UNREACHABLE: {
    disposition: 'retry',
    summary: 'No Kafka broker answered, or the connection was dropped.',
    action: 'None: the client reconnects. If it persists, check the broker list, TLS and network policy.',
  },
  KAFKA_AUTH_FAILED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'Kafka refused the credentials, or the user lacks a permission.',
    action:
      'Correct the SASL mechanism, user and password; grant Write, Read and Describe on the topic, Write and Describe on the transactional id.',
  },
  KAFKA_TLS_FAILED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The TLS connection to Kafka could not be trusted.',
    action: 'Correct the CA, the client certificate or the broker host names that the message shows.',
  },
  KAFKA_TOPIC_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The topic does not exist.',
    action: 'Create the topic, or allow pgstream to create it.',
  },
  KAFKA_TOPIC_UNFIT: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The topic differs from what is configured.',
    action: 'Make the topic and the setting named in the message agree.',
  },
  KAFKA_TOPIC_FOREIGN: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The topic holds the changes of another source.',
    action: 'Give every replication slot its own topic.',
  },
  KAFKA_TOPIC_REPLACED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The topic was deleted and created again since this source last wrote to it.',
    action:
      'What the old topic held is gone: create the slot again with a snapshot, or use another topic name.',
  },
  KAFKA_ROUTING_CHANGED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'Records that were already written would now go to other partitions.',
    action:
      'Restore the setting named in the message, let the producer catch up until it has confirmed everything, then change the setting.',
  },
  KAFKA_PRODUCER_FENCED: {
    disposition: 'halt',
    summary: 'A newer producer of the same slot has taken over the topic.',
    action: 'None if a successor is meant to run; otherwise find the other process that uses this slot.',
  },
  KAFKA_PRODUCER_STALLED: {
    disposition: 'halt',
    summary:
      'This process stood still for so long that the brokers may have forgotten it, and a successor may be at work.',
    action:
      'None: started again it reads what the log holds. See why it was stopped or swapped out; transactional.id.expiration.ms and producer.id.expiration.ms of the brokers set the limit.',
  },
  KAFKA_SEQUENCE_LOST: {
    disposition: 'retry',
    summary: 'The broker no longer knows what this producer wrote; the end of the log is read again.',
    action:
      'None: the producer starts over from what the log holds. If it repeats, check the broker for lost data.',
  },
  KAFKA_DELIVERY_TIMEOUT: {
    disposition: 'retry',
    summary: 'Kafka did not acknowledge records within the delivery timeout.',
    action:
      'None: the producer starts over from what the log holds. Check the brokers and min.insync.replicas.',
  },
  KAFKA_RECORD_TOO_LARGE: {
    disposition: 'park',
    summary: 'A record is larger than the topic takes.',
    action:
      "Raise the topic's max.message.bytes, let the row change once more (`pgstream dead-letters retry` prints the UPDATE), discard the letter.",
  },
  KAFKA_TIMESTAMP_REFUSED: {
    disposition: 'halt',
    summary: 'The broker refuses records whose time lies further from its clock than it allows.',
    action:
      "Set the clocks right: this machine's, then the broker's. log.message.timestamp.after.max.ms (of the topic: message.timestamp.after.max.ms) says how far ahead a record may be, one hour unless configured. Nothing is lost: the producer goes on from what the log holds.",
  },
  KAFKA_REQUEST_REFUSED: {
    disposition: 'halt',
    summary: 'Kafka refused a request for a reason that repeating it does not heal.',
    action: 'Read the error name in the message; check the broker version (2.8 or newer) and its logs.',
  },
  KAFKA_PROTOCOL_VIOLATED: {
    disposition: 'halt',
    summary: 'An answer of the broker does not have the form of the protocol.',
    action:
      'Check that the broker list points at Kafka brokers and at the listener that is configured (TLS or not).',
  },
} as const satisfies Record<string, ErrorSpec>;
