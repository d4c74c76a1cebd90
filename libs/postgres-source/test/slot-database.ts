import { Client } from 'pg';
import { uniqueName, waitFor } from '@pgstream/test-kit';

/** A database of its own with a publication of all tables and a slot; dropped at the end. */
export class SlotDatabase {
  readonly name = uniqueName('src');
  readonly slot = uniqueName('slot');
  readonly publications: readonly string[] = ['Mixed Case'];
  readonly url: string;
  readonly #serverUrl: string;
  #client: Client | undefined;

  constructor(serverUrl: string) {
    this.#serverUrl = serverUrl;
    const url = new URL(serverUrl);
    url.pathname = `/${this.name}`;
    this.url = url.href;
  }

  /** Tables first, then the slot: what `ddl` writes is not in the stream. */
  static async create(serverUrl: string, ddl: string): Promise<SlotDatabase> {
    const database = new SlotDatabase(serverUrl);
    await database.onServer(`CREATE DATABASE ${database.name}`);
    const client = await database.connect();
    database.#client = client;
    await client.query(ddl);
    await client.query(
      `CREATE PUBLICATION "Mixed Case" FOR ALL TABLES WITH (publish_via_partition_root = true)`,
    );
    await client.query(`SELECT pg_create_logical_replication_slot('${database.slot}', 'pgoutput')`);
    return database;
  }

  async connect(): Promise<Client> {
    const client = new Client({ connectionString: this.url });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  /** On the database; several statements in one call are one transaction. */
  async sql(text: string): Promise<Record<string, string>[]> {
    const result = await this.#client?.query<Record<string, string>>(text);
    return result?.rows ?? [];
  }

  async onServer(text: string): Promise<void> {
    const client = new Client({ connectionString: this.#serverUrl });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  }

  /** Of the slot, as text. */
  async confirmedFlush(): Promise<string> {
    const [row] = await this.sql(
      `SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = '${this.slot}'`,
    );
    return row?.['lsn'] ?? '';
  }

  async walEnd(): Promise<string> {
    const [row] = await this.sql('SELECT pg_current_wal_lsn()::text AS lsn');
    return row?.['lsn'] ?? '';
  }

  /** Resolves when the slot's confirmed position has reached `lsn`. */
  async confirmed(lsn: string): Promise<void> {
    await waitFor(`confirmed_flush_lsn ${lsn}`, async () => {
      const [row] = await this.sql(
        `SELECT confirmed_flush_lsn >= '${lsn}'::pg_lsn AS reached FROM pg_replication_slots WHERE slot_name = '${this.slot}'`,
      );
      return String(row?.['reached']) === 'true';
    });
  }

  async terminateWalsender(): Promise<void> {
    await this.sql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${this.slot}'`,
    );
  }

  async drop(): Promise<void> {
    await waitFor('the slot to be free', async () => {
      await this.sql(
        `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${this.slot}'`,
      );
      return true;
    });
    await this.#client?.end();
    await this.onServer(`DROP DATABASE ${this.name} WITH (FORCE)`);
  }
}
