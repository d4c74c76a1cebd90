import {
  createPool,
  migrationsScript,
  parseConnectionUrl,
  readMigrations,
  runMigrations,
  sessionConfig,
  type PostgresPool,
} from '@pgstream/postgres-client';
import {
  init,
  publicationNames,
  type InitOptions,
  type InitResult,
  type SetupConnections,
} from '@pgstream/postgres-source';
import { endpoints, uniqueName } from '@pgstream/test-kit';
import { join } from 'node:path';
import type { ClientConfig } from 'pg';

export const MIGRATIONS = join(__dirname, '../../../migrations');

/** A database of its own with a slot name and roles of its own; `close` leaves nothing behind. */
export interface SetupRig {
  readonly database: string;
  readonly slot: string;
  readonly publication: string;
  readonly admin: PostgresPool;
  readonly connections: SetupConnections;
  readonly script: string;
  /** init as the superuser, or with other connections. */
  init(options?: Partial<InitOptions>, connections?: SetupConnections): Promise<InitResult>;
  /** A role with these attributes, connected to the database. */
  role(attributes: string): Promise<RigRole>;
  close(): Promise<void>;
}

export interface RigRole {
  readonly name: string;
  readonly pool: PostgresPool;
  readonly config: ClientConfig;
}

export async function setupRig(serverUrl = endpoints().postgresUrl): Promise<SetupRig> {
  const database = uniqueName('setup');
  const server = createPool(await configOf(serverUrl), { maxConnections: 1 });
  await server.query(`CREATE DATABASE ${database}`);
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  const config = await configOf(url.href);
  const admin = createPool(config);
  const slot = `${database}_slot`;
  const roles: RigRole[] = [];
  const connections: SetupConnections = {
    sql: admin,
    connection: config,
    migrate: (options) => runMigrations(admin, MIGRATIONS, options),
  };
  return {
    database,
    slot,
    publication: publicationNames(slot).full,
    admin,
    connections,
    script: migrationsScript(readMigrations(MIGRATIONS)),
    init: (options = {}, other = connections) => init(other, { slot, ...options }),
    role: async (attributes) => {
      const name = uniqueName('role');
      await server.query(`CREATE ROLE ${name} LOGIN PASSWORD 'geheim' ${attributes}`);
      const own = new URL(url.href);
      own.username = name;
      own.password = 'geheim';
      const ownConfig = await configOf(own.href);
      const role = { name, pool: createPool(ownConfig), config: ownConfig };
      roles.push(role);
      return role;
    },
    close: async () => {
      await Promise.all([admin.end(), ...roles.map((role) => role.pool.end())]);
      await server.query(
        'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1',
        [database],
      );
      await server.query(`DROP DATABASE ${database} WITH (FORCE)`);
      for (const role of roles) await server.query(`DROP OWNED BY ${role.name}; DROP ROLE ${role.name}`);
      await server.end();
    },
  };
}

async function configOf(url: string): Promise<ClientConfig> {
  return sessionConfig(parseConnectionUrl(url, 'url'), { applicationName: 'pgstream test' });
}

/** Names of everything that init may make or change, by kind; `null` where there is none of a kind. */
export type Fingerprint = Readonly<Record<(typeof KINDS)[number], readonly string[] | null>>;

const KINDS = ['schemas', 'triggers', 'publications', 'slots', 'functions', 'tables'] as const;

/** To compare before and after. Tables come with their replica identity. */
export async function fingerprint(rig: SetupRig): Promise<Fingerprint> {
  const { rows } = await rig.admin.query(
    `SELECT (SELECT array_agg(nspname::text ORDER BY 1) FROM pg_namespace WHERE oid >= 16384) AS schemas,
       (SELECT array_agg(evtname::text ORDER BY 1) FROM pg_event_trigger) AS triggers,
       (SELECT array_agg(pubname::text ORDER BY 1) FROM pg_publication) AS publications,
       (SELECT array_agg(slot_name::text ORDER BY 1) FROM pg_replication_slots WHERE database = current_database()) AS slots,
       (SELECT array_agg(proname::text ORDER BY 1) FROM pg_proc WHERE oid >= 16384) AS functions,
       (SELECT array_agg(format('%s %s', oid::regclass, relreplident) ORDER BY oid) FROM pg_class
         WHERE oid >= 16384 AND relkind IN ('r', 'p')) AS tables`,
  );
  const [row] = rows;
  const of = (kind: (typeof KINDS)[number]) => {
    const value = row?.[kind];
    return Array.isArray(value) ? value.map(String) : null;
  };
  return {
    schemas: of('schemas'),
    triggers: of('triggers'),
    publications: of('publications'),
    slots: of('slots'),
    functions: of('functions'),
    tables: of('tables'),
  };
}
