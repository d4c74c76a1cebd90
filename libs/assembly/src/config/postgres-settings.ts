import {
  BOOLEAN,
  BYTES,
  choice,
  count,
  DURATION_MS,
  matching,
  optional,
  setting,
  TEXT,
} from '@pgstream/service-runtime';

const PG_URL = matching(/^postgres(ql)?:\/\//, 'a URL that starts with postgres:// or postgresql://');
const LISTENER = 'PGSTREAM_POSTGRES_LISTENER';

export const postgresSettings = {
  url: optional(PG_URL, {
    env: `${LISTENER}_URL`,
    flags: ['--postgres-url', '--pgurl'],
    yaml: ['source.postgres.url'],
    doc: 'The source database. `sslmode`, `sslrootcert`, `sslcert`, `sslkey` in the URL work as with psql; without a database name it is the one named like the user.',
    sensitive: true,
  }),
  adminUrl: optional(PG_URL, {
    env: 'PGSTREAM_POSTGRES_ADMIN_URL',
    flags: ['--admin-url'],
    doc: 'For `init`, `tear-down` only: the same database as a superuser, who creates the event triggers and the publication for all tables. Never stored.',
    sensitive: true,
  }),
  schemaLogUrl: optional(PG_URL, {
    env: 'PGSTREAM_INJECTOR_STORE_POSTGRES_URL',
    aliases: ['PGSTREAM_TRANSLATOR_STORE_POSTGRES_URL', 'PGSTREAM_TRANSLATOR_ENABLED'],
    yaml: ['modifiers.injector.schemalog_url'],
    doc: 'Where the schema log is. It is written in the transaction of the DDL, so this must be the source database; schema records are always produced.',
    sensitive: true,
  }),
  mode: setting(choice('replication'), {
    env: 'PGSTREAM_POSTGRES_LISTENER_MODE',
    yaml: ['source.postgres.mode'],
    default: 'replication',
    doc: 'Changes are streamed; rows older than `init` come with the snapshot feature, which this version does not have.',
  }),
  slotName: optional(matching(/^[a-z0-9_]{1,63}$/, 'up to 63 lower-case letters, digits and _'), {
    env: 'PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME',
    flags: ['--replication-slot'],
    yaml: ['source.postgres.replication.replication_slot'],
    doc: 'The logical replication slot. Unset: `pgstream_<database>_slot`, with `.` and `-` as `_`, in lower case.',
  }),
  decodingMemoryBytes: setting(BYTES, {
    env: 'PGSTREAM_POSTGRES_LOGICAL_DECODING_WORK_MEM',
    default: 256 * 2 ** 20,
    doc: 'Memory that PostgreSQL may use to put transactions into order before it spills to disk.',
  }),
  reconcileIntervalMs: setting(DURATION_MS, {
    env: 'PGSTREAM_POSTGRES_RECONCILE_INTERVAL',
    default: 30_000,
    doc: 'How often the schema history is compared with the catalogue, which finds what an event trigger could not write.',
  }),
  slotPollIntervalMs: setting(DURATION_MS, {
    env: 'PGSTREAM_POSTGRES_SLOT_POLL_INTERVAL',
    default: 10_000,
    doc: 'How often the metrics of the slot are read.',
  }),
  recorder: {
    bytes: setting(BYTES, {
      env: 'PGSTREAM_FLIGHT_RECORDER_BYTES',
      default: 4 * 2 ** 20,
      doc: 'The newest bytes of the replication connection, kept in memory and written to a file when they cannot be decoded; `pgstream replay FILE` shows them. 0: off. The file holds values of rows.',
    }),
    dir: optional(TEXT, {
      env: 'PGSTREAM_FLIGHT_RECORDER_DIR',
      doc: 'The folder of those files, at most 5 per slot, readable by the owner only. Unset: the folder for temporary files.',
    }),
  },
  retry: {
    initialMs: setting(DURATION_MS, {
      env: `${LISTENER}_EXP_BACKOFF_INITIAL_INTERVAL`,
      yaml: ['source.postgres.retry_policy.exponential.initial_interval'],
      default: 500,
      doc: 'First wait after a lost connection; each wait is random below a limit that doubles.',
    }),
    maxMs: setting(DURATION_MS, {
      env: `${LISTENER}_EXP_BACKOFF_MAX_INTERVAL`,
      yaml: ['source.postgres.retry_policy.exponential.max_interval'],
      default: 30_000,
      doc: 'Longest wait between two attempts.',
    }),
    maxRetries: setting(count(0), {
      env: `${LISTENER}_EXP_BACKOFF_MAX_RETRIES`,
      yaml: ['source.postgres.retry_policy.exponential.max_retries'],
      default: 0,
      doc: 'Attempts without progress before the process gives up with exit code 1; 0 is no limit.',
    }),
    constantMs: setting(DURATION_MS, {
      env: `${LISTENER}_BACKOFF_INTERVAL`,
      yaml: ['source.postgres.retry_policy.constant.interval'],
      default: 0,
      doc: 'In place of the growing waits: always this wait. 0: growing waits.',
    }),
    constantMaxRetries: setting(count(0), {
      env: `${LISTENER}_BACKOFF_MAX_RETRIES`,
      yaml: ['source.postgres.retry_policy.constant.max_retries'],
      default: 0,
      doc: 'The limit of attempts with the constant wait; 0 is no limit.',
    }),
    disabled: setting(BOOLEAN, {
      env: `${LISTENER}_DISABLE_RETRIES`,
      yaml: ['source.postgres.retry_policy.disable_retries'],
      default: false,
      doc: 'Stop with exit code 1 at the first lost connection.',
    }),
  },
};
