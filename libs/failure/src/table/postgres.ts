import type { ErrorSpec } from '../error-spec.ts';

export const POSTGRES_ERRORS = {
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
} as const satisfies Record<string, ErrorSpec>;
