import type { PreflightCheck } from './preflight.ts';
import type { ServerFacts, SlotFacts } from './server.ts';

/** Names of pg_settings that {@link serverChecks} reads, and two counts. */
export const PREFLIGHT_SETTINGS = [
  'wal_level',
  'max_replication_slots',
  'max_wal_senders',
  'max_slot_wal_keep_size',
  'idle_replication_slot_timeout',
  'synchronous_commit',
  'server_encoding',
] as const;

export type ServerSetting = (typeof PREFLIGHT_SETTINGS)[number] | 'slots' | 'walsenders';

export interface ServerSettings {
  readonly server: ServerFacts;
  /** As pg_settings has them; `slots` and `walsenders` are how many are in use. */
  readonly settings: ReadonlyMap<string, string>;
  readonly slot: SlotFacts | null;
}

/** What the server's settings mean for us. */
export function serverChecks(found: ServerSettings): PreflightCheck[] {
  return [...kindChecks(found), ...capacityChecks(found), ...retentionChecks(found)];
}

function kindChecks({ server, settings }: ServerSettings): PreflightCheck[] {
  const major = Math.floor(server.version / 10_000);
  const encoding = settings.get('server_encoding') ?? '';
  return [
    {
      name: 'server_version',
      ok: major >= 15 && major <= 18,
      severity: 'error',
      detail: `PostgreSQL ${major}; 15 to 18 are supported.`,
      remedy: null,
    },
    {
      name: 'primary',
      ok: !server.inRecovery,
      severity: 'error',
      detail: server.inRecovery ? 'The server is a standby.' : 'Not a standby.',
      remedy: 'Use the URL of the primary.',
    },
    {
      name: 'encoding',
      ok: encoding === 'UTF8',
      severity: 'error',
      detail: `server_encoding is ${encoding}; only UTF8 is supported.`,
      remedy: null,
    },
    {
      name: 'wal_level',
      ok: settings.get('wal_level') === 'logical',
      severity: 'error',
      detail: `wal_level is ${settings.get('wal_level')}, needed is logical.`,
      remedy: 'ALTER SYSTEM SET wal_level = logical; then restart the server.',
    },
  ];
}

function capacityChecks({ settings, slot }: ServerSettings): PreflightCheck[] {
  const count = (name: ServerSetting) => Number(settings.get(name));
  return [
    {
      name: 'max_replication_slots',
      ok: slot !== null || count('slots') < count('max_replication_slots'),
      severity: 'error',
      detail: `${count('slots')} of ${count('max_replication_slots')} replication slots are taken.`,
      remedy: 'Drop an unused slot, or ALTER SYSTEM SET max_replication_slots = …; then restart the server.',
    },
    {
      name: 'max_wal_senders',
      ok: slot?.active === true || count('walsenders') < count('max_wal_senders'),
      // One may end any moment: the connection is refused with 53300 and tried again.
      severity: 'warning',
      detail: `${count('walsenders')} of ${count('max_wal_senders')} WAL senders are taken.`,
      remedy: 'ALTER SYSTEM SET max_wal_senders = …; then restart the server.',
    },
  ];
}

function retentionChecks({ settings }: ServerSettings): PreflightCheck[] {
  const keepMb = settings.get('max_slot_wal_keep_size') ?? '';
  const idle = settings.get('idle_replication_slot_timeout') ?? '0';
  const lazy = settings.get('synchronous_commit') === 'off';
  return [
    {
      name: 'max_slot_wal_keep_size',
      ok: keepMb !== '-1',
      severity: 'warning',
      detail:
        keepMb === '-1'
          ? 'Unlimited: a producer that is down fills the disk of the server.'
          : `${keepMb} MB.`,
      remedy: "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();",
    },
    {
      name: 'idle_replication_slot_timeout',
      ok: idle === '0',
      severity: 'warning',
      detail: idle === '0' ? 'No limit.' : `${idle}: a producer that is down for longer loses its slot.`,
      remedy: 'ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();',
    },
    {
      name: 'synchronous_commit',
      ok: !lazy,
      severity: 'info',
      detail: lazy
        ? 'off: changes arrive up to about 200 ms later (wal_writer_delay).'
        : 'Changes arrive at commit.',
      remedy: null,
    },
  ];
}
