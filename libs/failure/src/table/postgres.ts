import type { ErrorSpec } from '../error-spec.ts';

export const POSTGRES_ERRORS = {
  // Connection and rights, replication stream
  PG_UNREACHABLE: {
    disposition: 'retry',
    summary: 'PostgreSQL refused or dropped the connection.',
    action: 'None: the source reconnects. If it persists, check host, port and pg_hba.conf.',
  },
  PG_SLOT_LOST: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'PostgreSQL removed WAL that the replication slot still needed.',
    action: 'Raise max_slot_wal_keep_size, recreate the slot, take a new snapshot.',
  },
  PG_OVERLOADED: {
    disposition: 'retry',
    summary: 'PostgreSQL has no connection, memory or disk left for this.',
    action:
      'None: retried with backoff. If it persists, raise max_connections or free resources on the server.',
  },
  PG_CONFLICT: {
    disposition: 'retry',
    summary: 'PostgreSQL cancelled a statement: lock timeout, statement timeout, deadlock or serialisation.',
    action: 'None: retried with backoff. If it persists, look in pg_locks for who holds the lock.',
  },
  PG_SLOT_ACTIVE: {
    disposition: 'retry',
    summary: 'Another process uses the replication slot.',
    action: 'None: this process waits as standby and takes over when the other one ends.',
  },
  PG_AUTH_FAILED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'PostgreSQL refused the role, its password or the host.',
    action: 'Correct user and password in the connection URL, or pg_hba.conf on the server.',
  },
  PG_TLS_FAILED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The TLS connection to PostgreSQL could not be made or verified.',
    action:
      'Correct sslmode, sslrootcert, sslcert and sslkey in the connection URL, or the certificate of the server.',
  },
  PG_DATABASE_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The database does not exist.',
    action: 'Correct the database name in the connection URL, or create the database.',
  },
  PG_PRIVILEGE_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The role may not do this.',
    action: 'Grant what the message names, or run init with --admin-url or the SQL that it prints.',
  },
  PG_PREREQUISITE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'PostgreSQL is not in the state that this needs.',
    action: 'Do what the message says; pgstream check lists every requirement with its SQL.',
  },
  PG_OBJECT_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'An object of PostgreSQL that pgstream needs does not exist.',
    action: 'Run pgstream init; pgstream check lists what is missing.',
  },
  PG_MIGRATION_CHANGED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'A migration that was applied differs from the file of this version.',
    action: 'Install the version that applied it, or a newer one; never edit a migration that was applied.',
  },

  // Setup and the checks before START (libs/postgres-source/src/setup)
  PG_PREFLIGHT_FAILED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'PostgreSQL does not meet the requirements.',
    action: 'Do what the message says for each check that failed; pgstream check prints them all.',
  },
  PG_NOT_INITIALISED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The database was not prepared for this replication slot.',
    action: 'Run pgstream init with the same --replication-slot.',
  },
  PG_IDENTITY_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'Tables without a usable replica identity would make their owner’s UPDATE and DELETE fail.',
    action:
      'Run init with --keyless=full, or --set-identity, or run the SQL that the message prints for each table.',
  },
  PG_FOREIGN_PUBLICATION: {
    disposition: 'halt',
    exitCode: 78,
    summary:
      'Another FOR ALL TABLES publication would carry the tables of pgstream to its subscribers and stop them.',
    action:
      'Prepare the subscribers as the message says and run init with --allow-foreign-publication, or list that publication’s tables.',
  },
  PG_PUBLICATION_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'A publication that the slot was made for does not exist any more.',
    action:
      'WAL written meanwhile cannot be decoded: run tear-down --slot-only, then init, then take a new snapshot.',
  },
  PG_SLOT_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The replication slot does not exist any more: the changes since the stored position are lost.',
    action: 'Run init --accept-gap to make a new slot and record the gap, then take a new snapshot.',
  },
  PG_SLOT_FOREIGN: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The replication slot belongs to another database, plugin or incarnation than recorded.',
    action: 'Choose another --replication-slot, or run tear-down --slot-only and then init.',
  },
  PG_SLOT_ADVANCED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'Somebody else advanced the replication slot past the stored position: changes are missing.',
    action:
      'Find who used the slot. Run init --accept-gap to record the gap and go on, then take a new snapshot.',
  },
  PG_OTHER_CLUSTER: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'This is another cluster than the one the slot was made on: a restore or a wrong URL.',
    action: 'Correct the URL; after a restore run init --new-epoch and take a new snapshot.',
  },
  PG_TIMELINE_CHANGED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The cluster is on another timeline: a failover or a point-in-time recovery.',
    action:
      'Compare what the log holds with the server, then run init --accept-timeline; after lost changes run init --new-epoch and take a new snapshot.',
  },
  PG_FAILED_OVER: {
    disposition: 'halt',
    summary: 'The cluster was promoted to another timeline while this process ran.',
    action:
      'None: started again, the process compares what the log holds with the server, and goes on or says what is missing.',
  },
  PG_HISTORY_CHANGED: {
    disposition: 'halt',
    exitCode: 78,
    summary:
      'The server has another history than the log: a transaction that was published is not in its WAL.',
    action:
      'An older base was restored, or the slot was made anew. Run init --new-epoch, then read the tables again.',
  },
  PG_POSITION_AHEAD: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The stored position lies ahead of the server: START there would skip changes silently.',
    action: 'Correct the URL; after a restore run init --new-epoch and take a new snapshot.',
  },

  // The replication stream (libs/postgres-source/src/stream, src/pgoutput)
  PG_PROTOCOL: {
    disposition: 'halt',
    summary: 'PostgreSQL sent a frame of the replication stream that does not have the documented form.',
    action: 'Report the facts of the log line; nothing from that frame on was confirmed.',
  },
  PG_STREAM_ABANDONED: {
    disposition: 'halt',
    summary: 'The batches of the replication stream were asked for twice.',
    action: 'Report it: a source serves one reader.',
  },
} as const satisfies Record<string, ErrorSpec>;
