-- Changes that are known never to reach a sink: what was written while a table or a slot was not captured.

CREATE TABLE pgstream.gaps (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slot text NOT NULL,
  -- NULL: the whole database.
  schema_name text,
  table_name text,
  -- NULL: from the creation of the table on.
  from_lsn pg_lsn,
  to_lsn pg_lsn,
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
