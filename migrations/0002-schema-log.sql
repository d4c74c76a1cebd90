-- The history of the schema: one row per DDL statement and schema, written in the user's transaction, so that it travels
-- in the WAL in order. Nothing here may make a user's DDL fail or wait.

CREATE SEQUENCE pgstream.schema_log_version;

-- No unique constraint but the key over random ids: DDL of two sessions must not collide. Versions may have gaps.
CREATE TABLE pgstream.schema_log (
  id pgstream.xid PRIMARY KEY DEFAULT pgstream.new_xid(),
  version bigint NOT NULL DEFAULT nextval('pgstream.schema_log_version'),
  schema_name text NOT NULL,
  schema jsonb NOT NULL,
  created_at timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
  acked boolean NOT NULL DEFAULT false,
  ddl text NOT NULL DEFAULT '',
  command_tag text NOT NULL DEFAULT '',
  objects jsonb NOT NULL DEFAULT '[]',
  -- Each touched table after the change; a table's DDL writes this one table, however many there are.
  shapes jsonb NOT NULL DEFAULT '[]',
  -- [{"kind": "table", "oid": 1, "schema": "s", "name": "t"}, {"kind": "schema", "oid": 2, "name": "s"}]
  dropped jsonb NOT NULL DEFAULT '[]',
  -- Schemas created, renamed or altered: [{"oid": 2, "name": "s"}]
  schemas jsonb NOT NULL DEFAULT '[]',
  -- `catalogue` for rows that the producer writes when it finds what no trigger recorded; `expected` then holds, by object,
  -- what it knew, so that a change which came in between makes the row void.
  source text NOT NULL DEFAULT 'trigger',
  expected jsonb
);

CREATE FUNCTION pgstream.setting(name text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.value FROM pgstream.settings AS s WHERE s.key = name
$$;

-- Which of these tables an UPDATE could not be published for.
CREATE FUNCTION pgstream.without_identity(tables oid[]) RETURNS SETOF oid LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.oid
  FROM unnest(tables) AS wanted(oid) JOIN pg_class AS c ON c.oid = wanted.oid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.relreplident <> 'f'
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgstream')
    AND NOT EXISTS (
      SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)
$$;

-- Under a publication FOR ALL TABLES a table without identity makes its owner's UPDATE and DELETE fail: set FULL, and take
-- it back where a primary key has come since.
CREATE FUNCTION pgstream.keep_identity(tables oid[]) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  target record;
BEGIN
  IF pgstream.setting('mode') IS DISTINCT FROM 'all' OR pgstream.setting('keyless') IS DISTINCT FROM 'full' THEN
    RETURN;
  END IF;
  PERFORM set_config('pgstream.inside', 'true', true);
  FOR target IN
    SELECT c.oid, n.nspname, c.relname, c.relreplident FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid IN (SELECT pgstream.without_identity(tables))
  LOOP
    EXECUTE format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY FULL', target.nspname, target.relname);
    INSERT INTO pgstream.identity_set (table_oid, previous) VALUES (target.oid, target.relreplident) ON CONFLICT DO NOTHING;
  END LOOP;
  FOR target IN
    SELECT c.oid, n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pgstream.identity_set AS s ON s.table_oid = c.oid
    WHERE c.oid = ANY (tables) AND c.relreplident = 'f' AND s.previous = 'd'
      AND EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisprimary AND i.indimmediate)
  LOOP
    EXECUTE format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY DEFAULT', target.nspname, target.relname);
    DELETE FROM pgstream.identity_set AS s WHERE s.table_oid = target.oid;
  END LOOP;
  PERFORM set_config('pgstream.inside', '', true);
EXCEPTION WHEN query_canceled OR OTHERS THEN
  RAISE LOG 'pgstream: replica identity not kept: % %', SQLSTATE, SQLERRM;
END
$$;

-- One log row per schema that the statement touched, the first object's schema first.
CREATE FUNCTION pgstream.write_log(tag text, objects jsonb, tables oid[], dropped jsonb, schemas jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  WITH shape AS MATERIALIZED (
    SELECT s.schema_name, s.shape FROM pgstream.shapes_of(tables) AS s WHERE (s.shape ->> 'captured')::boolean
      OR EXISTS (SELECT FROM jsonb_array_elements(objects) AS o WHERE o ->> 'oid' = s.table_oid::text)
  ), touched AS (
    SELECT o ->> 'schema' AS name, place FROM jsonb_array_elements(objects) WITH ORDINALITY AS o(o, place)
    UNION ALL SELECT s.schema_name, 1000000 FROM shape AS s
    UNION ALL SELECT coalesce(d ->> 'schema', d ->> 'name'), 2000000 FROM jsonb_array_elements(dropped) AS d
    UNION ALL SELECT n ->> 'name', 3000000 FROM jsonb_array_elements(schemas) AS n
  ), target AS (
    SELECT t.name, min(t.place) AS place FROM touched AS t WHERE pgstream.is_user_schema(t.name) GROUP BY t.name
  )
  INSERT INTO pgstream.schema_log (schema_name, ddl, command_tag, objects, shapes, dropped, schemas, schema)
  SELECT t.name, left(coalesce(current_query(), ''), 65536), tag,
    coalesce((SELECT jsonb_agg(o ORDER BY place) FROM jsonb_array_elements(objects) WITH ORDINALITY AS o(o, place)
      WHERE o ->> 'schema' = t.name), '[]'),
    shapes.list,
    coalesce((SELECT jsonb_agg(d) FROM jsonb_array_elements(dropped) AS d WHERE coalesce(d ->> 'schema', d ->> 'name') = t.name), '[]'),
    coalesce((SELECT jsonb_agg(n) FROM jsonb_array_elements(schemas) AS n WHERE n ->> 'name' = t.name), '[]'),
    CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(dropped) AS d WHERE d ->> 'kind' = 'schema' AND d ->> 'name' = t.name)
      THEN '{"tables": null, "dropped": true}'::jsonb
      ELSE jsonb_build_object('tables', (
        SELECT jsonb_agg(jsonb_build_object('oid', s ->> 'oid', 'name', s -> 'name',
          'primary_key_columns', (
            SELECT jsonb_agg(c -> 'name' ORDER BY k.place) FROM jsonb_array_elements(s -> 'primary_key') WITH ORDINALITY AS k(attnum, place)
            JOIN jsonb_array_elements(s -> 'columns') AS c ON c -> 'attnum' = k.attnum),
          'columns', (SELECT jsonb_agg(jsonb_build_object('attnum', c -> 'attnum', 'name', c -> 'name', 'type', c -> 'type',
            'default', c -> 'default', 'nullable', c -> 'nullable', 'unique', c -> 'unique', 'metadata', c -> 'metadata'))
            FROM jsonb_array_elements(s -> 'columns') AS c)))
        FROM jsonb_array_elements(shapes.list) AS s)) END
  FROM target AS t
  CROSS JOIN LATERAL (SELECT coalesce(jsonb_agg(s.shape ORDER BY (s.shape ->> 'oid')::bigint), '[]') AS list FROM shape AS s WHERE s.schema_name = t.name) AS shapes
  ORDER BY t.place
$$;

CREATE FUNCTION pgstream.on_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  touched oid[];
  affected oid[];
  objects jsonb;
  schemas jsonb;
BEGIN
  IF current_setting('pgstream.inside', true) = 'true' THEN RETURN; END IF;
  -- Temporary tables come and go by the thousand.
  PERFORM FROM pg_event_trigger_ddl_commands() AS c WHERE c.schema_name IS DISTINCT FROM 'pg_temp';
  IF NOT FOUND THEN RETURN; END IF;

  SELECT array_agg(DISTINCT t.oid) INTO touched FROM (
    SELECT c.objid FROM pg_event_trigger_ddl_commands() AS c
    WHERE c.classid = 'pg_class'::regclass AND c.object_type IN ('table', 'table column') AND c.schema_name IS DISTINCT FROM 'pg_temp'
    UNION ALL
    SELECT i.indrelid FROM pg_event_trigger_ddl_commands() AS c JOIN pg_index AS i ON i.indexrelid = c.objid
    WHERE c.classid = 'pg_class'::regclass AND c.object_type = 'index' AND i.indisunique
    UNION ALL
    -- The attributes of a composite type are part of the shape of the tables that use it.
    SELECT d.objid FROM pg_event_trigger_ddl_commands() AS c
    JOIN pg_type AS t ON c.classid = 'pg_class'::regclass AND t.typrelid = c.objid AND t.typtype = 'c'
    JOIN pg_depend AS d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
      AND d.classid = 'pg_class'::regclass AND d.objsubid > 0
    WHERE c.command_tag = 'ALTER TYPE'
    UNION ALL
    -- A partition that was detached is a table of its own now; the statement names the root alone, but it locks both.
    SELECT l.relation FROM pg_locks AS l
    JOIN pg_class AS c ON c.oid = l.relation AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    WHERE tg_tag = 'ALTER TABLE' AND l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
      AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
      AND EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS m JOIN pg_class AS r ON r.oid = m.objid AND r.relkind = 'p'
        WHERE m.classid = 'pg_class'::regclass)
  ) AS t(oid);
  -- A change goes down to partitions and inheriting tables without naming them. A partition's shape is its root's, but its
  -- own identity is the one that counts for an UPDATE.
  WITH RECURSIVE line(oid) AS (
    SELECT unnest(touched) UNION SELECT i.inhrelid FROM line AS l JOIN pg_inherits AS i ON i.inhparent = l.oid
  )
  SELECT array_agg(l.oid), array_agg(l.oid) FILTER (WHERE NOT c.relispartition OR l.oid = ANY (touched)) INTO affected, touched
  FROM line AS l JOIN pg_class AS c ON c.oid = l.oid;
  PERFORM pgstream.keep_identity(affected);

  IF upper(current_setting('pgstream.skip_log', true)) = 'TRUE' THEN RETURN; END IF;

  SELECT
    jsonb_agg(jsonb_build_object('type', c.object_type, 'identity', c.object_identity, 'schema', c.schema_name,
      'oid', c.objid::text) ORDER BY c.object_type, c.objid) FILTER (WHERE c.schema_name IS NOT NULL),
    jsonb_agg(jsonb_build_object('oid', n.oid::bigint, 'name', n.nspname)) FILTER (WHERE n.oid IS NOT NULL)
  INTO objects, schemas
  FROM (SELECT DISTINCT c.classid, c.objid, c.object_type, c.object_identity, c.schema_name
    FROM pg_event_trigger_ddl_commands() AS c WHERE NOT c.in_extension) AS c
  LEFT JOIN pg_namespace AS n ON c.classid = 'pg_namespace'::regclass AND n.oid = c.objid
  LEFT JOIN pg_class AS r ON c.classid = 'pg_class'::regclass AND r.oid = c.objid
  WHERE (c.schema_name IS NOT NULL AND pgstream.is_user_schema(c.schema_name)
      AND coalesce(r.relpersistence = 'p' AND r.relkind <> 'f', true))
    OR (c.object_type = 'schema' AND pgstream.is_user_schema(n.nspname));
  IF objects IS NULL AND schemas IS NULL THEN RETURN; END IF;

  PERFORM pgstream.write_log(tg_tag, coalesce(objects, '[]'), touched, '[]', coalesce(schemas, '[]'));
EXCEPTION WHEN query_canceled OR OTHERS THEN
  -- Never the user's problem: comparing with the catalogue finds what was not written here.
  RAISE LOG 'pgstream: % not recorded: % %', tg_tag, SQLSTATE, SQLERRM;
END
$$;

CREATE FUNCTION pgstream.on_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  touched oid[];
  objects jsonb;
  dropped jsonb;
BEGIN
  -- What ALTER drops, ddl_command_end reports with the shape that is left.
  IF tg_tag !~ '^DROP' OR current_setting('pgstream.inside', true) = 'true' THEN RETURN; END IF;
  PERFORM FROM pg_event_trigger_dropped_objects() AS d WHERE NOT d.is_temporary;
  IF NOT FOUND THEN RETURN; END IF;

  -- Columns dropped by a cascade; and a dropped index may have been its table's identity. It no longer says whose it was, but
  -- the statement holds a lock on that table.
  SELECT array_agg(DISTINCT t.oid) INTO touched FROM (
    SELECT d.objid FROM pg_event_trigger_dropped_objects() AS d
    WHERE d.classid = 'pg_class'::regclass AND d.object_type = 'table column' AND NOT d.is_temporary
    UNION ALL
    SELECT l.relation FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
    WHERE tg_tag = 'DROP INDEX' AND l.pid = pg_backend_pid() AND l.locktype = 'relation'
      AND l.mode IN ('AccessExclusiveLock', 'ShareUpdateExclusiveLock')
      AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
  ) AS t(oid);
  PERFORM pgstream.keep_identity(touched);
  DELETE FROM pgstream.identity_set AS s USING pg_event_trigger_dropped_objects() AS d
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND s.table_oid = d.objid;

  IF upper(current_setting('pgstream.skip_log', true)) = 'TRUE' THEN RETURN; END IF;

  SELECT
    jsonb_agg(jsonb_build_object('type', d.object_type, 'identity', d.object_identity, 'schema', coalesce(d.schema_name, d.object_name),
      'oid', d.objid::text) ORDER BY d.object_type, d.objid) FILTER (WHERE d.original OR d.object_type = 'table'),
    jsonb_agg(jsonb_build_object('kind', d.object_type, 'oid', d.objid::bigint, 'schema', d.schema_name, 'name', d.object_name)
      ORDER BY d.object_type DESC, d.objid) FILTER (WHERE d.object_type IN ('table', 'schema') AND d.objsubid = 0)
  INTO objects, dropped
  FROM pg_event_trigger_dropped_objects() AS d
  WHERE NOT d.is_temporary AND d.object_type <> 'table column' AND d.object_type NOT LIKE 'foreign%'
    AND (d.schema_name IS NOT NULL OR d.object_type = 'schema')
    AND pgstream.is_user_schema(coalesce(d.schema_name, d.object_name));
  IF objects IS NULL AND touched IS NULL THEN RETURN; END IF;

  PERFORM pgstream.write_log(tg_tag, coalesce(objects, '[]'), touched, coalesce(dropped, '[]'), '[]');
EXCEPTION WHEN query_canceled OR OTHERS THEN
  RAISE LOG 'pgstream: % not recorded: % %', tg_tag, SQLSTATE, SQLERRM;
END
$$;

-- False where the role may not create event triggers; capture then rests on RELATION messages and the catalogue. The
-- functions run as their owner, so a superuser must not put its trigger on functions that another role can rewrite.
CREATE FUNCTION pgstream.install_triggers() RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  stranger text;
BEGIN
  IF (SELECT count(*) FROM pg_event_trigger WHERE evtname IN ('pgstream_ddl', 'pgstream_drop') AND evtenabled = 'A') = 2 THEN
    RETURN true;
  END IF;
  SELECT p.proname INTO stranger FROM pg_proc AS p
  WHERE p.pronamespace = 'pgstream'::regnamespace AND p.proowner <> current_user::regrole::oid LIMIT 1;
  IF stranger IS NOT NULL THEN
    RAISE NOTICE 'pgstream: function pgstream.% belongs to another role; tear down and initialise again with one role', stranger;
    RETURN false;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgstream_ddl') THEN
    CREATE EVENT TRIGGER pgstream_ddl ON ddl_command_end WHEN TAG IN (
      'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE SCHEMA', 'ALTER SCHEMA', 'CREATE INDEX', 'ALTER INDEX',
      'CREATE TYPE', 'ALTER TYPE', 'CREATE DOMAIN', 'ALTER DOMAIN', 'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW',
      'ALTER MATERIALIZED VIEW', 'CREATE SEQUENCE', 'ALTER SEQUENCE', 'COMMENT'
    ) EXECUTE FUNCTION pgstream.on_ddl();
    ALTER EVENT TRIGGER pgstream_ddl ENABLE ALWAYS;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgstream_drop') THEN
    CREATE EVENT TRIGGER pgstream_drop ON sql_drop WHEN TAG IN (
      'DROP TABLE', 'DROP SCHEMA', 'DROP INDEX', 'DROP TYPE', 'DROP DOMAIN', 'DROP VIEW', 'DROP MATERIALIZED VIEW', 'DROP SEQUENCE',
      'DROP EXTENSION', 'DROP OWNED', 'DROP FUNCTION', 'DROP COLLATION'
    ) EXECUTE FUNCTION pgstream.on_drop();
    ALTER EVENT TRIGGER pgstream_drop ENABLE ALWAYS;
  END IF;
  RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'pgstream: no event triggers: %', SQLERRM;
  RETURN false;
END
$$;

SELECT pgstream.install_triggers();
