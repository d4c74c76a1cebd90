import {
  BOOLEAN,
  BYTES,
  choice,
  count,
  DURATION_MS,
  list,
  matching,
  optional,
  refusedWhenTrue,
  setting,
  TEXT,
  type Kind,
} from '@pgstream/service-runtime';

const SERVERS = list(/^(?:\[[0-9a-f:]+\]|[^\s:/]+):\d{1,5}$/i, 'host:port, several separated by commas');
const BACKOFF = 'PGSTREAM_KAFKA_COMMIT';

export type KeyMode = 'schema' | 'table' | 'identity';

const KEY_MODE: Kind<KeyMode> = {
  accepts: 'schema, table or identity (primary_key is the same as identity)',
  parse: (text) => {
    const lower = text.trim().toLowerCase();
    if (lower === 'primary_key') return 'identity';
    if (lower === 'schema' || lower === 'table' || lower === 'identity') return lower;
    throw new Error('unknown key');
  },
  format: String,
};

export const kafkaSettings = {
  readerServers: optional(SERVERS, {
    env: 'PGSTREAM_KAFKA_READER_SERVERS',
    aliases: ['PGSTREAM_KAFKA_SERVERS'],
    flags: ['--kafka-servers'],
    yaml: ['source.kafka.servers'],
    doc: 'Brokers to start from when Kafka is the source.',
  }),
  writerServers: optional(SERVERS, {
    env: 'PGSTREAM_KAFKA_WRITER_SERVERS',
    aliases: ['PGSTREAM_KAFKA_SERVERS'],
    flags: ['--kafka-servers'],
    yaml: ['target.kafka.servers'],
    doc: 'Brokers to start from when Kafka is the target.',
  }),
  topic: {
    name: setting(matching(/^[a-zA-Z0-9._-]{1,235}$/, 'up to 235 of a-z A-Z 0-9 . _ -'), {
      env: 'PGSTREAM_KAFKA_TOPIC_NAME',
      flags: ['--kafka-topic'],
      yaml: ['source.kafka.topic.name', 'target.kafka.topic.name'],
      default: 'pgstream',
      doc: 'The topic of the records; one topic per slot. Records that can never be delivered go to `<topic>.dead-letters`.',
    }),
    partitions: optional(count(1, 10_000), {
      env: 'PGSTREAM_KAFKA_TOPIC_PARTITIONS',
      yaml: ['target.kafka.topic.partitions'],
      doc: 'Partitions of a topic that is created here; unset: 12. An existing topic with another number is refused where this is set.',
    }),
    replicationFactor: setting(count(1, 100), {
      env: 'PGSTREAM_KAFKA_TOPIC_REPLICATION_FACTOR',
      yaml: ['target.kafka.topic.replication_factor'],
      default: 1,
      doc: 'Copies of each partition of a topic that is created here. Use 3 in production.',
    }),
    autoCreate: setting(BOOLEAN, {
      env: 'PGSTREAM_KAFKA_TOPIC_AUTO_CREATE',
      yaml: ['target.kafka.topic.auto_create'],
      default: false,
      doc: 'Create the topic where it does not exist.',
    }),
    maxMessageBytes: setting(BYTES, {
      env: 'PGSTREAM_KAFKA_TOPIC_MAX_MESSAGE_BYTES',
      default: 16 * 2 ** 20,
      doc: '`max.message.bytes` of a topic that is created here. A record that does not fit the topic is parked.',
    }),
    keyMode: setting(KEY_MODE, {
      env: 'PGSTREAM_KAFKA_TOPIC_PARTITION_KEY',
      aliases: ['PGSTREAM_KAFKA_PARTITION_KEY'],
      yaml: ['target.kafka.topic.partition_key'],
      default: 'schema',
      doc: 'What keeps its order, and so decides the partition: everything of a schema, of a table, or of a row. It cannot change while records are unread.',
    }),
  },
  consumer: {
    groupId: setting(matching(/^\S{1,255}$/, 'up to 255 characters without space'), {
      env: 'PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID',
      yaml: ['source.kafka.consumer_group.id'],
      default: 'pgstream-consumer-group',
      doc: 'The consumer group. Workers of one group share the partitions.',
    }),
    startOffset: setting(choice('earliest', 'latest'), {
      env: 'PGSTREAM_KAFKA_READER_CONSUMER_GROUP_START_OFFSET',
      yaml: ['source.kafka.consumer_group.start_offset'],
      default: 'earliest',
      doc: 'Where a group begins that has committed nothing.',
    }),
    sessionTimeoutMs: setting(DURATION_MS, {
      env: 'PGSTREAM_KAFKA_READER_SESSION_TIMEOUT',
      default: 30_000,
      doc: 'How long a worker may be silent before the others take its partitions over. The brokers set its bounds: 6s to 30m unless configured.',
    }),
    commitRetry: {
      initialMs: setting(DURATION_MS, {
        env: `${BACKOFF}_EXP_BACKOFF_INITIAL_INTERVAL`,
        aliases: [`${BACKOFF}_BACKOFF_INITIAL_INTERVAL`],
        yaml: ['source.kafka.backoff.exponential.initial_interval'],
        default: 0,
        doc: 'First wait before an offset commit is tried again. 0: no retry here; the next commit carries the same offsets.',
      }),
      maxMs: setting(DURATION_MS, {
        env: `${BACKOFF}_EXP_BACKOFF_MAX_INTERVAL`,
        aliases: [`${BACKOFF}_BACKOFF_MAX_INTERVAL`],
        yaml: ['source.kafka.backoff.exponential.max_interval'],
        default: 0,
        doc: 'Longest wait between two attempts to commit.',
      }),
      maxRetries: setting(count(0), {
        env: `${BACKOFF}_EXP_BACKOFF_MAX_RETRIES`,
        yaml: ['source.kafka.backoff.exponential.max_retries'],
        default: 0,
        doc: 'Attempts to commit before the worker stops; 0 is no limit.',
      }),
      constantMs: setting(DURATION_MS, {
        env: `${BACKOFF}_BACKOFF_INTERVAL`,
        yaml: ['source.kafka.backoff.constant.interval'],
        default: 0,
        doc: 'In place of the growing waits: always this wait.',
      }),
      constantMaxRetries: setting(count(0), {
        env: `${BACKOFF}_BACKOFF_MAX_RETRIES`,
        aliases: [`${BACKOFF}_MAX_RETRIES`],
        yaml: ['source.kafka.backoff.constant.max_retries'],
        default: 0,
        doc: 'The limit of attempts with the constant wait; 0 is no limit.',
      }),
      disabled: setting(BOOLEAN, {
        env: `${BACKOFF}_DISABLE_RETRIES`,
        yaml: ['source.kafka.backoff.disable_retries'],
        default: false,
        doc: 'Never try a commit again.',
      }),
    },
  },
  tls: {
    enabled: setting(BOOLEAN, {
      env: 'PGSTREAM_KAFKA_TLS_ENABLED',
      yaml: ['source.kafka.tls.enabled', 'target.kafka.tls.enabled'],
      default: false,
      doc: 'TLS to the brokers. Naming a certificate file turns it on too.',
    }),
    caFile: optional(TEXT, {
      env: 'PGSTREAM_KAFKA_TLS_CA_CERT_FILE',
      yaml: ['source.kafka.tls.ca_cert', 'target.kafka.tls.ca_cert'],
      doc: "PEM file of the authority that signed the brokers' certificates; unset: the system's.",
    }),
    certFile: optional(TEXT, {
      env: 'PGSTREAM_KAFKA_TLS_CLIENT_CERT_FILE',
      yaml: ['source.kafka.tls.client_cert', 'target.kafka.tls.client_cert'],
      doc: 'PEM file of our own certificate.',
    }),
    keyFile: optional(TEXT, {
      env: 'PGSTREAM_KAFKA_TLS_CLIENT_KEY_FILE',
      yaml: ['source.kafka.tls.client_key', 'target.kafka.tls.client_key'],
      doc: 'PEM file of the key of our own certificate.',
    }),
  },
  sasl: {
    mechanism: optional(choice('plain', 'scram-sha-256', 'scram-sha-512'), {
      env: 'PGSTREAM_KAFKA_SASL_MECHANISM',
      yaml: ['source.kafka.sasl.mechanism', 'target.kafka.sasl.mechanism'],
      doc: 'How we say who we are; unset: not at all.',
    }),
    user: optional(TEXT, {
      env: 'PGSTREAM_KAFKA_SASL_USER',
      aliases: ['PGSTREAM_KAFKA_SASL_USERNAME'],
      yaml: ['source.kafka.sasl.user', 'target.kafka.sasl.user'],
      doc: 'The user name.',
    }),
    password: optional(TEXT, {
      env: 'PGSTREAM_KAFKA_SASL_PASSWORD',
      yaml: ['source.kafka.sasl.password', 'target.kafka.sasl.password'],
      doc: 'The password.',
      sensitive: true,
    }),
  },
  writer: {
    compression: optional(choice('zstd', 'none'), {
      env: 'PGSTREAM_KAFKA_WRITER_COMPRESSION',
      doc: 'Unset: zstd, or none under a Node older than 22.15, which has no zstd.',
    }),
    batchTimeoutMs: optional(DURATION_MS, {
      env: 'PGSTREAM_KAFKA_WRITER_BATCH_TIMEOUT',
      yaml: ['target.kafka.batch.timeout'],
      doc: 'Upper bound of the time that a record waits for others. Unset: none waits; a batch is what arrived while the one before was under way.',
    }),
    batchBytes: optional(BYTES, {
      env: 'PGSTREAM_KAFKA_WRITER_BATCH_BYTES',
      yaml: ['target.kafka.batch.max_bytes'],
      doc: 'Upper bound of the bytes of a batch before compression. Unset: adaptive, at most 2 MiB and below what the topic accepts.',
    }),
    batchRecords: optional(count(1), {
      env: 'PGSTREAM_KAFKA_WRITER_BATCH_SIZE',
      yaml: ['target.kafka.batch.size'],
      doc: 'Upper bound of the records of a batch. Unset: adaptive.',
    }),
    maxQueueBytes: optional(BYTES, {
      env: 'PGSTREAM_KAFKA_WRITER_MAX_QUEUE_BYTES',
      yaml: ['target.kafka.batch.max_queue_bytes'],
      doc: 'Upper bound of the bytes that are accepted and not yet acknowledged. Unset: 5 MiB, which keeps every broker busy.',
    }),
    ignoreSendErrors: setting(refusedWhenTrue('it would lose records without a word'), {
      env: 'PGSTREAM_KAFKA_WRITER_BATCH_IGNORE_SEND_ERRORS',
      yaml: ['target.kafka.batch.ignore_send_errors'],
      default: false,
      doc: 'Known from the original; `true` is refused.',
    }),
    heartbeatIntervalMs: setting(DURATION_MS, {
      env: 'PGSTREAM_KAFKA_WRITER_HEARTBEAT_INTERVAL',
      default: 600_000,
      doc: 'How often each partition gets a heartbeat record, which keeps lag measurable and an old producer fenced off.',
    }),
  },
};
