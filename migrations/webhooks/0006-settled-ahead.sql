-- What is settled beyond the cursor, so that whoever owns the partition next does not deliver it again. Adds columns with
-- constant defaults: an instant, and no row is written.
ALTER TABLE pgstream.webhook_cursor
  -- Ranges of offsets, as '104-107 110'. They are those of the log and not counted from the cursor: a process that does not
  -- know this column moves the cursor on without it, and what is said here stays true.
  ADD COLUMN ahead text NOT NULL DEFAULT '',
  -- The generation that the ranges were written under: of another one they say nothing, since a replay delivers again what
  -- was settled, also one that was asked for by a process that does not know of them.
  ADD COLUMN ahead_generation bigint NOT NULL DEFAULT 0;
