import {
  promote,
  removeCluster,
  startPostgres,
  startStandby,
  stopPostgres,
  TcpFaultProxy,
  untilCaughtUp,
  waitFor,
  type PostgresServer,
} from '@pgstream/test-kit';
import { openSql } from '../product/sql.ts';

/** A PostgreSQL 17 and one that follows it by streaming replication. */
export class PrimaryAndStandby {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** A name that leads to the one that takes writes. */
  readonly #door: TcpFaultProxy;

  private constructor(primary: PostgresServer, standby: PostgresServer, door: TcpFaultProxy) {
    this.primary = primary;
    this.standby = standby;
    this.#door = door;
  }

  static async start(): Promise<PrimaryAndStandby> {
    const primary = await startPostgres({ major: 17 });
    const door = await TcpFaultProxy.start({ target: `127.0.0.1:${primary.port}` });
    return new PrimaryAndStandby(primary, await startStandby(primary), door);
  }

  get url(): string {
    const url = new URL(this.primary.url);
    url.host = this.#door.address;
    return url.href;
  }

  /** Until the standby has the slot of a database, and would keep it when promoted. */
  async untilSlotSynced(database: string): Promise<void> {
    const sql = await openSql(this.standby.url, 'faults');
    try {
      await waitFor(
        'the slot on the standby',
        async () => {
          const { rows } = await sql.query(
            'SELECT synced AND NOT temporary AS ready FROM pg_replication_slots WHERE database = $1',
            [database],
          );
          return rows[0]?.['ready'] === true;
        },
        60_000,
      );
    } finally {
      await sql.end();
    }
  }

  /** The primary ends at once, and the standby, which has everything, takes its place. */
  async failOver(): Promise<void> {
    await untilCaughtUp(this.primary, this.standby);
    await stopPostgres(this.primary, 'SIGQUIT');
    await promote(this.standby);
    this.#door.retarget(`127.0.0.1:${this.standby.port}`);
  }

  async close(): Promise<void> {
    await this.#door.close();
    for (const server of [this.standby, this.primary]) {
      await stopPostgres(server, 'SIGQUIT');
      removeCluster(server);
    }
  }
}
