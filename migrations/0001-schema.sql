-- The schema of pgstream in the source database: what the producer remembers, and how the shape of a table is read.
-- Idempotent parts only where another role may have made them before; the runner records each file once.

CREATE SCHEMA IF NOT EXISTS pgstream;

-- 20 characters of base32hex, as in the original.
CREATE DOMAIN pgstream.xid AS text CHECK (VALUE ~ '^[0-9a-v]{20}$');

-- Switches read by the event triggers. `mode`: `all` (one publication FOR ALL TABLES) or `list`. `keyless`: `full` lets
-- the triggers set REPLICA IDENTITY FULL on tables without a usable identity, `none` leaves them alone.
CREATE TABLE pgstream.settings (
  key text PRIMARY KEY,
  value text NOT NULL
);

-- One row per slot: what must still be true before streaming may go on.
CREATE TABLE pgstream.replication_state (
  slot text PRIMARY KEY,
  database text NOT NULL DEFAULT current_database(),
  system_id text NOT NULL,
  timeline integer NOT NULL,
  epoch integer NOT NULL DEFAULT 1,
  consistent_point pg_lsn,
  slot_fingerprint text,
  confirmed_lsn pg_lsn,
  routing_hash text,
  publications text[] NOT NULL DEFAULT '{}',
  mode text,
  facts jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Shapes of tables (and names of schemas) by the position from which they hold. `shape` NULL: dropped there.
CREATE TABLE pgstream.table_shapes (
  slot text NOT NULL,
  object text NOT NULL CHECK (object IN ('table', 'schema')),
  object_oid oid NOT NULL,
  commit_lsn pg_lsn NOT NULL,
  seq bigint NOT NULL,
  sub smallint NOT NULL,
  shape jsonb,
  saved_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (slot, object, object_oid, commit_lsn, seq, sub)
);

-- Tables on which pgstream itself set REPLICA IDENTITY FULL, so that it can be taken back.
CREATE TABLE pgstream.identity_set (
  table_oid oid PRIMARY KEY,
  previous "char" NOT NULL,
  set_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION pgstream.new_xid() RETURNS text LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT string_agg(substr('0123456789abcdefghijklmnopqrstuv', substr(bits, i * 5 + 1, 5)::bit(5)::integer + 1, 1), '' ORDER BY i)
  FROM (
    SELECT (('x' || lpad(to_hex(extract(epoch FROM clock_timestamp())::bigint), 8, '0')
      || substr(replace(gen_random_uuid()::text, '-', ''), 17) )::bit(96)::text || '0000') AS bits
  ) AS id, generate_series(0, 19) AS i
$$;

CREATE FUNCTION pgstream.is_user_schema(name text) RETURNS boolean LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT name !~ '^pg_' AND name NOT IN ('information_schema', 'pgstream', 'pgroll')
$$;

-- The type under all domains: {oid, typmod}.
CREATE FUNCTION pgstream.base_type(type oid, modifier integer) RETURNS bigint[] LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE chain(type, modifier) AS (
    SELECT type, modifier
    UNION ALL
    SELECT t.typbasetype, t.typtypmod FROM chain AS c JOIN pg_type AS t ON t.oid = c.type WHERE t.typtype = 'd'
  )
  SELECT ARRAY[c.type::bigint, c.modifier] FROM chain AS c JOIN pg_type AS t ON t.oid = c.type WHERE t.typtype <> 'd'
$$;

-- The shape of each of these tables as this transaction sees it. One row per ordinary or partitioned table that exists.
-- Settings are pinned: text of defaults must not depend on who asks.
CREATE FUNCTION pgstream.shapes_of(tables oid[]) RETURNS TABLE (table_oid oid, schema_name text, shape jsonb)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET timezone = 'UTC' SET extra_float_digits = 3
SET bytea_output = 'hex' SET lc_monetary = 'C' AS $$
  SELECT c.oid, n.nspname::text, jsonb_build_object(
    'oid', c.oid::bigint,
    'schema_oid', n.oid::bigint,
    'schema', n.nspname,
    'name', c.relname,
    'captured', c.relpersistence = 'p' AND NOT c.relispartition AND pgstream.is_user_schema(n.nspname),
    'replica_identity', c.relreplident,
    'primary_key', coalesce(i.primary_key, '[]'),
    'identity', CASE c.relreplident
      WHEN 'd' THEN coalesce(CASE WHEN i.primary_immediate THEN i.primary_key END, '[]')
      WHEN 'i' THEN coalesce(i.replica_index, '[]')
      WHEN 'f' THEN coalesce(i.primary_key, i.unique_not_null, '[]')
      ELSE '[]' END,
    'root', CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid::bigint END,
    'partitions', CASE WHEN c.relkind = 'p' THEN (
      SELECT coalesce(jsonb_agg(p.relid::oid::bigint ORDER BY p.relid::oid), '[]') FROM pg_partition_tree(c.oid) AS p WHERE p.isleaf
    ) END,
    'columns', columns.list
  )
  FROM unnest(tables) AS wanted(oid)
  JOIN pg_class AS c ON c.oid = wanted.oid AND c.relkind IN ('r', 'p')
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (
    SELECT
      (array_agg(x.keys ORDER BY x.indexrelid) FILTER (WHERE x.indisprimary))[1] AS primary_key,
      bool_or(x.indisprimary AND x.indimmediate) AS primary_immediate,
      (array_agg(x.keys ORDER BY x.indexrelid) FILTER (WHERE x.indisreplident))[1] AS replica_index,
      (array_agg(x.keys ORDER BY x.indnkeyatts, x.indexrelid) FILTER (
        WHERE x.indisunique AND x.indimmediate AND x.whole AND x.not_null))[1] AS unique_not_null,
      -- As the original: a column is unique when a unique index has it among its keys.
      jsonb_object_agg(x.indexrelid::text, x.keys) FILTER (WHERE x.indisunique) AS unique_keys
    FROM (
      SELECT i.indexrelid, i.indisprimary, i.indimmediate, i.indisreplident, i.indisunique, i.indnkeyatts,
        i.indpred IS NULL AND i.indexprs IS NULL AS whole, k.keys, k.not_null
      FROM pg_index AS i
      CROSS JOIN LATERAL (
        SELECT jsonb_agg(k.attnum::integer ORDER BY k.place) AS keys, coalesce(bool_and(a.attnotnull), false) AS not_null
        FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, place)
        LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE k.place <= i.indnkeyatts
      ) AS k
      WHERE i.indrelid = c.oid AND i.indisvalid AND i.indislive
    ) AS x
  ) AS i
  CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
      'attnum', a.attnum,
      'name', a.attname,
      'type', format_type(a.atttypid, a.atttypmod),
      'type_oid', a.atttypid::bigint,
      'type_mod', a.atttypmod,
      'base_oid', b.oid::bigint,
      'base_type', CASE b.typtype
        WHEN 'e' THEN 'enum'
        WHEN 'c' THEN 'composite'
        ELSE format_type(b.oid, base.type[2]::integer) END,
      -- Of a composite, and of the elements of an array of composites.
      'attributes', (
        SELECT jsonb_agg(jsonb_build_object('name', f.attname, 'type', format_type(f.atttypid, f.atttypmod)) ORDER BY f.attnum)
        FROM pg_type AS k JOIN pg_attribute AS f ON f.attrelid = k.typrelid AND f.attnum > 0 AND NOT f.attisdropped
        WHERE k.typtype = 'c' AND (k.oid = b.oid OR k.typarray = a.atttypid)
      ),
      'nullable', NOT a.attnotnull,
      'default', pg_get_expr(d.adbin, d.adrelid),
      'generated', a.attgenerated <> '',
      'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
      'unique', i.unique_keys IS NOT NULL AND EXISTS (
        SELECT FROM jsonb_each(i.unique_keys) AS u WHERE u.value @> to_jsonb(a.attnum::integer)),
      'metadata', col_description(a.attrelid, a.attnum),
      -- The constant that rows older than the column show; of a partitioned table, where a partition keeps it.
      'missing', CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1]
        WHEN c.relkind = 'p' THEN (
          SELECT (l.attmissingval::text::text[])[1] FROM pg_partition_tree(c.oid) AS p
          JOIN pg_attribute AS l ON l.attrelid = p.relid AND l.attname = a.attname AND l.atthasmissing
          WHERE p.isleaf LIMIT 1) END
    ) ORDER BY a.attnum), '[]') AS list
    FROM pg_attribute AS a
    CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN pgstream.base_type(a.atttypid, a.atttypmod)
      ELSE ARRAY[t.oid::bigint, a.atttypmod] END AS type FROM pg_type AS t WHERE t.oid = a.atttypid) AS base
    JOIN pg_type AS b ON b.oid = base.type[1]::oid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ) AS columns
$$;

-- Every table that a publication FOR ALL TABLES with publish_via_partition_root would carry, by its root.
CREATE FUNCTION pgstream.captured_tables() RETURNS oid[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(c.oid ORDER BY c.oid), '{}')
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition AND pgstream.is_user_schema(n.nspname)
$$;

-- Changes whenever something that shapes are made of changes; cheap where nothing did.
CREATE FUNCTION pgstream.catalogue_mark() RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT concat_ws(':',
    (SELECT bit_xor(hashtextextended(concat(oid, '.', xmin, ctid), 0)) FROM pg_class WHERE relkind IN ('r', 'p') AND relpersistence = 'p'),
    (SELECT bit_xor(hashtextextended(concat(attrelid, '.', attnum, '.', xmin), 0)) FROM pg_attribute WHERE attnum > 0),
    (SELECT bit_xor(hashtextextended(concat(indexrelid, '.', xmin), 0)) FROM pg_index),
    (SELECT bit_xor(hashtextextended(concat(oid, '.', xmin), 0)) FROM pg_namespace),
    (SELECT bit_xor(hashtextextended(concat(oid, '.', xmin), 0)) FROM pg_type),
    (SELECT bit_xor(hashtextextended(concat(oid, '.', xmin), 0)) FROM pg_attrdef))
$$;
