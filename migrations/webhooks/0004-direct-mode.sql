-- Without Kafka there is no log that a subscription could be read again from: what those that are behind have not had yet is
-- kept here, once for all of them and only as long as one of them needs it. Locks for a moment; no row is rewritten.

-- Records in the order of the stream. log_offset is the cursors' number for them, and grows over restarts.
CREATE TABLE pgstream.webhook_kept (
  topic text NOT NULL,
  log_offset bigint NOT NULL,
  commit_time timestamptz NOT NULL,
  record bytea NOT NULL,
  PRIMARY KEY (topic, log_offset)
);

-- What the bound of the table above has taken: records before it may be gone although they were wanted.
CREATE TABLE pgstream.webhook_kept_start (
  topic text PRIMARY KEY,
  log_offset bigint NOT NULL
);

-- The position in the stream up to which everything is settled or kept for the subscription: offsets are given anew by each
-- process, positions are the same for ever. NULL: it is new, and next_offset is the LSN at which it begins.
ALTER TABLE pgstream.webhook_cursor ADD COLUMN reached text COLLATE "C";

-- When the subscriptions in the table of the original were taken over; NULL: not yet.
ALTER TABLE pgstream.webhook_state ADD COLUMN original_taken_at timestamptz;
