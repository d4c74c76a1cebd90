-- Subscriptions, positions and exceptions of the webhook notifier. They may live in any database, best in one that is not
-- captured: every table has a primary key, so that a publication FOR ALL TABLES leaves them writable, and none of their
-- rows is ever an event.

-- One row: raised by every change to subscriptions and secrets, so that workers know when to read them again.
CREATE TABLE pgstream.webhook_state (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  version bigint NOT NULL
);
INSERT INTO pgstream.webhook_state (version) VALUES (1);

CREATE TABLE pgstream.webhook_subscription (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  url text NOT NULL,
  description text NOT NULL DEFAULT '',
  -- 'legacy' came by POST /webhooks/subscribe and is named by (url, schema, table); 'v1' by its id.
  origin text NOT NULL CHECK (origin IN ('legacy', 'v1')),
  legacy_schema text NOT NULL DEFAULT '',
  legacy_table text NOT NULL DEFAULT '',
  body_format text NOT NULL CHECK (body_format IN ('pgstream', 'standard', 'cloudevents')),
  filters jsonb NOT NULL,
  ordering text NOT NULL CHECK (ordering IN ('key', 'partition', 'none')),
  max_in_flight integer NOT NULL CHECK (max_in_flight > 0),
  -- NULL: no limit.
  rate_per_second double precision CHECK (rate_per_second > 0),
  timeout_ms integer NOT NULL CHECK (timeout_ms > 0),
  -- Sealed, because they often carry credentials; NULL: none.
  headers bytea,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
  state_reason text NOT NULL DEFAULT '',
  -- Since when no delivery has succeeded; NULL: the last one did.
  failing_since timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX webhook_subscription_legacy
  ON pgstream.webhook_subscription (md5(url), legacy_schema, legacy_table) WHERE origin = 'legacy';

-- Several may be valid at once: a receiver that knows any of them can verify what comes during a rotation.
CREATE TABLE pgstream.webhook_secret (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subscription_id uuid NOT NULL REFERENCES pgstream.webhook_subscription (id) ON DELETE CASCADE,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- NULL: until it is rotated.
  valid_until timestamptz
);
CREATE INDEX webhook_secret_subscription ON pgstream.webhook_secret (subscription_id);

-- Everything of the partition before next_offset is settled for the subscription.
CREATE TABLE pgstream.webhook_cursor (
  subscription_id uuid NOT NULL REFERENCES pgstream.webhook_subscription (id) ON DELETE CASCADE,
  topic text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  -- What the owner of the partition does for it: attached, catching_up, detached.
  lane_state text NOT NULL DEFAULT 'attached',
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subscription_id, topic, partition)
);

-- Who moves the cursors of a partition: each owner raises the epoch, and writes of an earlier one change nothing.
CREATE TABLE pgstream.webhook_owner (
  topic text NOT NULL,
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  PRIMARY KEY (topic, partition)
);

-- Single events that an endpoint does not take while it takes others; and what came behind them for the same rows.
CREATE TABLE pgstream.webhook_retry (
  subscription_id uuid NOT NULL REFERENCES pgstream.webhook_subscription (id) ON DELETE CASCADE,
  topic text NOT NULL,
  partition integer NOT NULL,
  log_offset bigint NOT NULL,
  event_id text NOT NULL,
  -- Hashes of the row keys that it touches.
  key_hashes text[] NOT NULL,
  attempts integer NOT NULL,
  next_at timestamptz NOT NULL,
  last_status integer,
  last_error text NOT NULL,
  record bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subscription_id, topic, partition, log_offset)
);

CREATE TABLE pgstream.webhook_dead_letter (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subscription_id uuid NOT NULL REFERENCES pgstream.webhook_subscription (id) ON DELETE CASCADE,
  topic text NOT NULL,
  partition integer NOT NULL,
  log_offset bigint NOT NULL,
  event_id text NOT NULL,
  attempts integer NOT NULL,
  reason text NOT NULL,
  record bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (subscription_id, topic, partition, log_offset)
);

-- Events that will never come, because the log had lost them before they could be read.
CREATE TABLE pgstream.webhook_gap (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subscription_id uuid NOT NULL REFERENCES pgstream.webhook_subscription (id) ON DELETE CASCADE,
  topic text NOT NULL,
  partition integer NOT NULL,
  from_offset bigint NOT NULL,
  to_offset bigint NOT NULL,
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (subscription_id, topic, partition, from_offset)
);
