-- What connections to a receiver need beside the usual, and the largest body that it is sent. Adds columns without a
-- default: an instant, and no row is written.
ALTER TABLE pgstream.webhook_subscription
  -- Sealed: own authority, client certificate and its key; NULL: none.
  ADD COLUMN tls bytea,
  -- NULL: no limit, as for every subscription that was there before.
  ADD COLUMN max_payload_bytes integer CHECK (max_payload_bytes > 0);
