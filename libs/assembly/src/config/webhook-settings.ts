import {
  ADDRESS,
  BOOLEAN,
  BYTES,
  count,
  DURATION_MS,
  list,
  matching,
  optional,
  setting,
  TEXT,
  url,
  type Kind,
} from '@pgstream/service-runtime';

const NOTIFIER = 'PGSTREAM_WEBHOOK_NOTIFIER';
const STORE = 'PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE';
const SERVER = 'PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER';

const KEYS: Kind<readonly string[]> = list(
  /^(?:[0-9a-f]{64}|[A-Za-z0-9+/]{43}=)$/i,
  '32 bytes in base64 or hex (openssl rand -base64 32); several separated by commas, the first one seals',
);

/** The schedule that Standard Webhooks recommends: about 75 hours. */
const [MINUTE_MS, HOUR_MS] = [60_000, 3_600_000];
const STANDARD_SCHEDULE_MS = [
  5_000,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR_MS),
];

const DURATIONS: Kind<readonly number[]> = {
  accepts: 'durations separated by commas or space, such as 5s,5m,2h',
  parse: (text) => {
    const parts = text.split(/[\s,]+/).filter((part) => part !== '');
    if (parts.length === 0) throw new Error('none');
    return parts.map((part) => DURATION_MS.parse(part));
  },
  format: (durations) => durations.map((duration) => DURATION_MS.format(duration)).join(','),
};

export const webhookSettings = {
  storeUrl: optional(TEXT, {
    env: `${STORE}_URL`,
    yaml: ['target.webhooks.subscriptions.store.url'],
    doc: 'PostgreSQL database of the subscriptions, best one that is not captured. Its tables are made at the start.',
    sensitive: true,
  }),
  cacheRefreshMs: setting(DURATION_MS, {
    env: `${STORE}_CACHE_REFRESH_INTERVAL`,
    default: 1_000,
    doc: 'How often it is looked whether subscriptions were changed by another process; what the API of this process changes takes effect at once.',
  }),
  secretKeys: optional(KEYS, {
    env: 'PGSTREAM_WEBHOOK_SECRET_KEY',
    doc: 'Seals the secrets and headers of subscriptions in the store; without it subscriptions have neither. To replace it, put the new key in front of the old one.',
    sensitive: true,
  }),
  apiUrl: optional(url('http', 'https'), {
    env: 'PGSTREAM_WEBHOOK_API_URL',
    flags: ['--webhook-api-url'],
    doc: 'Where `pgstream webhooks` finds the API. Unset: at the port of PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS on this machine.',
  }),
  token: optional(matching(/^\S{16,}$/, 'at least 16 characters without space'), {
    env: 'PGSTREAM_WEBHOOK_API_TOKEN',
    flags: ['--webhook-api-token'],
    doc: 'Bearer token of the API. Without it /v1 is not served. As a flag it can be seen in the list of processes.',
    sensitive: true,
  }),
  legacyOpen: setting(BOOLEAN, {
    env: 'PGSTREAM_WEBHOOK_LEGACY_OPEN',
    default: false,
    doc: '`true`: POST /webhooks/subscribe and /unsubscribe need no token. Unset, they need none on a loopback address only.',
  }),
  allow: optional(
    list(/^[^\s,]+$/, 'addresses, ranges such as 10.0.0.0/8, or hosts, separated by commas or space'),
    {
      env: 'PGSTREAM_WEBHOOK_ALLOW',
      doc: 'Private, loopback and link-local addresses are never called, except these: addresses, ranges (`10.0.0.0/8`), hosts (`hook.internal`, `*.internal`).',
    },
  ),
  httpsOnly: setting(BOOLEAN, {
    env: 'PGSTREAM_WEBHOOK_HTTPS_ONLY',
    default: false,
    doc: 'Refuse and never call http:// URLs.',
  }),
  address: setting(ADDRESS, {
    env: `${SERVER}_ADDRESS`,
    yaml: ['target.webhooks.subscriptions.server.address'],
    default: 'localhost:9900',
    doc: "Where the API listens. The original's default is `:9900`, every interface.",
  }),
  readTimeoutMs: setting(DURATION_MS, {
    env: `${SERVER}_READ_TIMEOUT`,
    default: 5_000,
    doc: 'How long a request to the API may take to arrive.',
  }),
  writeTimeoutMs: setting(DURATION_MS, {
    env: `${SERVER}_WRITE_TIMEOUT`,
    default: 10_000,
    doc: 'How long a connection to the API may be idle.',
  }),
  maxQueueBytes: setting(BYTES, {
    env: `${NOTIFIER}_MAX_QUEUE_BYTES`,
    yaml: ['target.webhooks.notifier.max_queue_bytes'],
    default: 64 * 2 ** 20,
    doc: 'Upper bound of the bytes of events that are read and not delivered, over all subscriptions.',
  }),
  keepBytes: setting(BYTES, {
    env: 'PGSTREAM_WEBHOOK_KEEP_BYTES',
    default: 2 ** 30,
    doc: 'Without Kafka: what is kept in the store for subscriptions that are behind, over all of them. Beyond it the oldest is given up, and each of them that wanted it gets a gap.',
  }),
  workerCount: setting(count(1, 100_000), {
    env: `${NOTIFIER}_WORKER_COUNT`,
    yaml: ['target.webhooks.notifier.worker_count'],
    default: 256,
    doc: "Requests in flight in this process, over all subscriptions. The original's default is 10; endpoints that hang use their share of it up to their timeout.",
  }),
  clientTimeoutMs: setting(DURATION_MS, {
    env: `${NOTIFIER}_CLIENT_TIMEOUT`,
    yaml: ['target.webhooks.notifier.client_timeout'],
    default: 10_000,
    doc: 'How long one delivery may take, from the connection to the end of the answer, where a subscription says nothing.',
  }),
  retryInitialMs: setting(DURATION_MS, {
    env: `${NOTIFIER}_EXP_BACKOFF_INITIAL_INTERVAL`,
    yaml: ['target.webhooks.notifier.backoff.exponential.initial_interval'],
    default: 1_000,
    doc: 'First wait before a delivery that failed is tried again.',
  }),
  retryMaxMs: setting(DURATION_MS, {
    env: `${NOTIFIER}_EXP_BACKOFF_MAX_INTERVAL`,
    yaml: ['target.webhooks.notifier.backoff.exponential.max_interval'],
    default: 30_000,
    doc: 'Longest wait between two attempts of an event that keeps its place.',
  }),
  parkAfterMs: setting(DURATION_MS, {
    env: 'PGSTREAM_WEBHOOK_PARK_AFTER',
    default: 30_000,
    doc: 'An event that its endpoint has refused for so long while it takes others is parked, and others of its row behind it.',
  }),
  parkedScheduleMs: setting(DURATIONS, {
    env: 'PGSTREAM_WEBHOOK_PARKED_SCHEDULE',
    default: STANDARD_SCHEDULE_MS,
    doc: 'Waits between the attempts of a parked event; after the last one it is a dead letter.',
  }),
  circuitOpenMs: setting(DURATION_MS, {
    env: 'PGSTREAM_WEBHOOK_CIRCUIT_OPEN',
    default: 5_000,
    doc: 'How long nothing is sent to an endpoint that fails, before one request decides; doubled with each that fails.',
  }),
  circuitMaxOpenMs: setting(DURATION_MS, {
    env: 'PGSTREAM_WEBHOOK_CIRCUIT_MAX_OPEN',
    default: 300_000,
    doc: 'The longest time without a request to an endpoint that fails.',
  }),
  disableAfterMs: setting(DURATION_MS, {
    env: 'PGSTREAM_WEBHOOK_DISABLE_AFTER',
    default: 5 * 24 * 3_600_000,
    doc: 'A subscription without a successful delivery for so long is disabled.',
  }),
};
