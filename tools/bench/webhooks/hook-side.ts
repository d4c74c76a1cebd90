import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort, waitFor } from '@pgstream/test-kit';
import type { Product } from '../../product/product.ts';
import type { BenchWorld } from '../bench-world.ts';

const TOKEN = 'token-of-the-webhook-bench';

/** Producer and notifier on a database of the bench, and endpoints that note when each row arrived. */
export class HookSide {
  readonly table: string;
  /** Of each endpoint that answers: ticks of the first arrival, by the id of the row. */
  readonly arrived: Map<number, number>[] = [];
  readonly #product: Product;
  readonly #servers: Server[] = [];

  private constructor(table: string, product: Product) {
    this.table = table;
    this.#product = product;
  }

  static async start(
    world: BenchWorld,
    run: string,
    { endpoints, blackHoles }: { readonly endpoints: number; readonly blackHoles: number },
  ): Promise<HookSide> {
    const table = `hooked_${run}`;
    const address = `127.0.0.1:${await freePort()}`;
    await world.sql.query(`CREATE TABLE ${table} (id integer PRIMARY KEY, note text)`);
    const product = world.product(run).withEnvironment({
      PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL: await ownStore(world, run),
      PGSTREAM_WEBHOOK_SECRET_KEY: 'a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U=',
      PGSTREAM_WEBHOOK_API_TOKEN: TOKEN,
      PGSTREAM_WEBHOOK_ALLOW: '127.0.0.1',
      PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS: address,
    });
    const side = new HookSide(table, product);
    await product.run('init', '--keyless=full');
    await product.start('wal-producer', `producer-${run}`);
    await product.start('webhook-notifier', `notifier-${run}`);
    for (let i = 0; i < endpoints + blackHoles; i++) {
      // oxlint-disable-next-line no-await-in-loop -- a few
      await side.#subscribe(`http://${address}`, i < endpoints);
    }
    return side;
  }

  async #subscribe(api: string, answers: boolean): Promise<void> {
    const arrived = new Map<number, number>();
    if (answers) this.arrived.push(arrived);
    const url = await this.#listen(answers ? arrived : undefined);
    await waitFor('a subscription', async () => {
      const answer = await fetch(`${api}/v1/subscriptions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ url, filters: [{ table: this.table }] }),
      });
      return answer.status === 201;
    });
  }

  /** @param arrived `undefined`: a black hole. */
  async #listen(arrived: Map<number, number> | undefined): Promise<string> {
    const server = createServer((request, response) => {
      const chunks: string[] = [];
      request.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
      request.on('end', () => {
        if (arrived === undefined) return;
        const id = Number(/"new":\{"id":(\d+)/.exec(chunks.join(''))?.[1]);
        if (!arrived.has(id)) arrived.set(id, performance.now());
        response.end();
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    await this.#product.stopAll();
    await this.#product.run('tear-down', '--slot-only');
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

/** Beside the captured database, as the documentation advises. */
async function ownStore({ sql, url }: BenchWorld, run: string): Promise<string> {
  const name = `hooks_${run}`;
  await sql.query(`CREATE DATABASE ${name}`);
  const store = new URL(url);
  store.pathname = `/${name}`;
  return store.href;
}
