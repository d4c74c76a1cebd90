import { join } from 'node:path';
import {
  createPool,
  parseConnectionUrl,
  runMigrations,
  sessionConfig,
  type PostgresPool,
} from '@pgstream/postgres-client';
import { endpoints, uniqueName } from '@pgstream/test-kit';
import { defaultSpec, SecretBox, type SubscriptionSpec } from '../src/index.ts';

export const MIGRATIONS = join(__dirname, '../../../migrations/webhooks');
export const SECRET_KEY = 'a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U=';

/** A database with the tables of the notifier, dropped at the end. */
export class OwnStore {
  readonly name: string;
  readonly pool: PostgresPool;
  readonly box = new SecretBox([SECRET_KEY], 'PGSTREAM_WEBHOOK_SECRET_KEY');
  readonly #admin: PostgresPool;

  private constructor(name: string, pool: PostgresPool, admin: PostgresPool) {
    this.name = name;
    this.pool = pool;
    this.#admin = admin;
  }

  static async open(): Promise<OwnStore> {
    const name = uniqueName('hooks');
    const admin = await poolOf(endpoints().postgresUrl);
    await admin.query(`CREATE DATABASE ${name}`);
    const url = new URL(endpoints().postgresUrl);
    url.pathname = `/${name}`;
    const store = new OwnStore(name, await poolOf(url.href), admin);
    await runMigrations(store.pool, MIGRATIONS, { ledger: 'webhook_migrations' });
    return store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end();
    await this.#admin.query(`DROP DATABASE ${this.name} WITH (FORCE)`);
    await this.#admin.end();
  }
}

async function poolOf(url: string): Promise<PostgresPool> {
  return createPool(
    await sessionConfig(parseConnectionUrl(url, 'TEST_PG_URL'), { applicationName: 'hooks test' }),
  );
}

export function spec(url: string, changes: Partial<SubscriptionSpec> = {}): SubscriptionSpec {
  return { ...defaultSpec(url, 15_000), ...changes };
}
