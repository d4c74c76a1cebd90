import { spawnSync } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeCluster, startPostgres, stopPostgres, waitFor, type PostgresServer } from '@pgstream/test-kit';
import { openSql } from '../product/sql.ts';

/** A PostgreSQL and one that follows it by streaming replication. */
export class PrimaryAndStandby {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;

  private constructor(primary: PostgresServer, standby: PostgresServer) {
    this.primary = primary;
    this.standby = standby;
  }

  static async start(): Promise<PrimaryAndStandby> {
    const first = await startPostgres({ major: 17 });
    await stopPostgres(first, 'SIGINT');
    const dataDir = `${first.dataDir}-standby`;
    copyCluster(first.dataDir, dataDir);
    const { url, port, major } = first;
    const primary = await startPostgres({ major, dataDir: first.dataDir, port });
    if (primary.url !== url) throw new Error('the primary came back elsewhere');
    appendFileSync(
      join(dataDir, 'postgresql.auto.conf'),
      `primary_conninfo = 'host=127.0.0.1 port=${port} user=postgres password=postgres'\nhot_standby = on\n`,
    );
    writeFileSync(join(dataDir, 'standby.signal'), '');
    const standby = await startPostgres({ major, dataDir });
    return new PrimaryAndStandby(primary, standby);
  }

  /** Until the standby has everything that the primary has written by now. */
  async untilReplayed(): Promise<void> {
    const [primary, standby] = [
      await openSql(this.primary.url, 'faults'),
      await openSql(this.standby.url, 'faults'),
    ];
    try {
      const { rows } = await primary.query('SELECT pg_current_wal_lsn()::text AS lsn');
      await waitFor('the standby to replay', async () => {
        const answer = await standby.query('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done', [
          rows[0]?.['lsn'],
        ]);
        return answer.rows[0]?.['done'] === true;
      });
    } finally {
      await Promise.all([primary.end(), standby.end()]);
    }
  }

  /** The primary ends at once, and the standby takes its place. */
  async failOver(): Promise<void> {
    await stopPostgres(this.primary, 'SIGQUIT');
    const sql = await openSql(this.standby.url, 'faults');
    await sql.query('SELECT pg_promote(true)');
    await sql.end();
  }

  async close(): Promise<void> {
    for (const server of [this.standby, this.primary]) {
      await stopPostgres(server, 'SIGQUIT');
      removeCluster(server);
    }
  }
}

/** @throws {Error} where it cannot be copied */
export function copyCluster(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`copying ${from}: ${stderr}`);
}
