export interface HookServers {
  /** A superuser's. */
  readonly postgresUrl: string;
  readonly broker: string;
  /** What the broker allows at least, such as `6s`: how long the partitions of a dead process wait. */
  readonly sessionTimeout: string;
  /** Of the notifiers; default times that let a run see second attempts again and again. */
  readonly settings?: Readonly<Record<string, string>>;
}

export const TOKEN = 'token-of-the-webhook-tests';
export const REFRESH_MS = 200;

/** Times that let a run see second attempts, parking and catching up again and again. */
const FAST: Readonly<Record<string, string>> = {
  PGSTREAM_WEBHOOK_NOTIFIER_EXP_BACKOFF_INITIAL_INTERVAL: '30ms',
  PGSTREAM_WEBHOOK_NOTIFIER_EXP_BACKOFF_MAX_INTERVAL: '150ms',
  PGSTREAM_WEBHOOK_NOTIFIER_CLIENT_TIMEOUT: '500ms',
  PGSTREAM_WEBHOOK_PARK_AFTER: '400ms',
  // So often that nothing is given up: a loss would hide behind a dead letter.
  PGSTREAM_WEBHOOK_PARKED_SCHEDULE: Array.from({ length: 2_000 }, () => '300ms').join(','),
  PGSTREAM_WEBHOOK_CIRCUIT_OPEN: '100ms',
  PGSTREAM_WEBHOOK_CIRCUIT_MAX_OPEN: '400ms',
  PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_CACHE_REFRESH_INTERVAL: `${REFRESH_MS}ms`,
};

/** Of notifiers with a topic, a group and a store of that name. */
export function environmentOf(
  name: string,
  { postgresUrl, broker, sessionTimeout, settings = FAST }: HookServers,
): Record<string, string> {
  return {
    PGSTREAM_KAFKA_SERVERS: broker,
    PGSTREAM_KAFKA_TOPIC_NAME: name,
    PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: name,
    PGSTREAM_KAFKA_READER_SESSION_TIMEOUT: sessionTimeout,
    PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL: urlOf(postgresUrl, name),
    PGSTREAM_WEBHOOK_SECRET_KEY: 'a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U=',
    PGSTREAM_WEBHOOK_API_TOKEN: TOKEN,
    PGSTREAM_WEBHOOK_ALLOW: '127.0.0.1',
    ...settings,
  };
}

export function urlOf(postgresUrl: string, database: string): string {
  const url = new URL(postgresUrl);
  url.pathname = `/${database}`;
  return url.href;
}
