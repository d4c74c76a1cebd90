-- Replays, a log of attempts, and answers to repeated requests. Every table has a primary key, so that a publication
-- FOR ALL TABLES leaves them writable. Takes no lock for longer than it takes to add a column with a constant default.

-- Raised when a cursor is moved back: whoever moves it on must know of that, so that a late write cannot undo a replay.
ALTER TABLE pgstream.webhook_cursor ADD COLUMN generation bigint NOT NULL DEFAULT 0;

-- The newest attempts of each subscription: those that failed, and now and then one that did not. Capped by the writer.
CREATE TABLE pgstream.webhook_attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subscription_id uuid NOT NULL REFERENCES pgstream.webhook_subscription (id) ON DELETE CASCADE,
  topic text NOT NULL,
  partition integer NOT NULL,
  log_offset bigint NOT NULL,
  event_id text NOT NULL,
  -- 1 for the first of its event.
  attempt integer NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('delivered', 'endpoint', 'event')),
  -- NULL: there was no answer.
  http_status integer,
  reason text NOT NULL,
  duration_ms integer NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX webhook_attempt_subscription ON pgstream.webhook_attempt (subscription_id, id);

-- What a request with an Idempotency-Key was answered, for a day.
CREATE TABLE pgstream.webhook_request (
  -- SHA-256 of the key.
  key_hash text PRIMARY KEY,
  -- SHA-256 of method, path and body: the same key means the same request.
  fingerprint text NOT NULL,
  -- The id of what the request makes: the same when it is made again after a crash, so that it is made once.
  made_id uuid NOT NULL DEFAULT gen_random_uuid(),
  -- Nobody else works on it before this time.
  busy_until timestamptz NOT NULL,
  -- NULL: there is no answer yet.
  http_status integer,
  -- Sealed, because it may hold a secret.
  answer bytea,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_request_created_at ON pgstream.webhook_request (created_at);
