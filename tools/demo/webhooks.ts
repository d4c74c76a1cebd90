import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { freePort } from '@pgstream/test-kit';
import { Webhook } from 'standardwebhooks';
import type { Product } from '../product/product.ts';
import type { Screen } from '../product/screen.ts';
import type { World } from './world.ts';

/** Changes that are made while the receiver is away. */
const MISSED = 200;

interface Event {
  readonly type: string;
  readonly timestamp: string;
  readonly data: { readonly id: string; readonly new: { readonly id: number; readonly total: number } };
}

/** A receiver as anybody would write it: what is not signed by its secret is refused. */
class Receiver {
  readonly events: Event[] = [];
  refused = 0;
  readonly #secret: string;
  #server: Server | undefined;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @returns the port, which is another one only if none is asked for. */
  async open(port = 0): Promise<number> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        response.writeHead(this.#take(Buffer.concat(chunks), request.headers) ? 204 : 401).end();
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return (server.address() as AddressInfo).port;
  }

  async shut(): Promise<void> {
    const server = this.#server;
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  }

  #take(body: Buffer, headers: IncomingHttpHeaders): boolean {
    const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the subscription asks for
      const event = new Webhook(this.#secret).verify(body, given) as Event;
      // At least once: what came before is known by its id.
      if (!this.events.some(({ data }) => data.id === event.data.id)) this.events.push(event);
      return true;
    } catch {
      this.refused++;
      return false;
    }
  }
}

/** A subscriber sees a change, goes away, comes back, and has missed nothing. */
export async function webhooks(world: World, product: Product, screen: Screen): Promise<void> {
  screen.title('Webhooks: the same log, a second consumer');
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const receiver = new Receiver(secret);
  const port = await receiver.open();
  try {
    const api = await startNotifier(world, product, screen);
    await screen.step('POST /v1/subscriptions', () => subscribe(api, port, secret));
    await world.sql.query('CREATE TABLE bills (id integer PRIMARY KEY, total integer)');
    await screen.step('INSERT: the receiver verifies the signature', async () => {
      await world.sql.query('INSERT INTO bills VALUES (1, 0)');
      await world.until('the first event', async () => receiver.events.length === 1);
    });
    screen.note(JSON.stringify(receiver.events[0]));
    await screen.step(`the receiver is shut down; ${MISSED} changes are committed`, async () => {
      await receiver.shut();
      for (let total = 1; total <= MISSED; total++) {
        await world.sql.query('UPDATE bills SET total = $1 WHERE id = 1', [total]);
      }
    });
    await receiver.open(port);
    await screen.step('it is back, and gets everything that it missed, in order', async () => {
      await world.until('the last change', async () => last(receiver) === MISSED, 120_000);
    });
    const isInOrder = receiver.events.every(({ data }, i) => data.new.total === i);
    const verified = { name: 'verified events, in order', value: receiver.events.length, unit: 'events' };
    screen.check({ ...verified, target: MISSED + 1 }, isInOrder && last(receiver) === MISSED);
    screen.check(
      { name: 'events with a wrong signature', value: receiver.refused, unit: 'events', target: 0 },
      receiver.refused === 0,
    );
  } finally {
    await receiver.shut();
  }
}

async function startNotifier(world: World, product: Product, screen: Screen): Promise<Api> {
  await world.sql.query('CREATE DATABASE hooks');
  const store = new URL(world.postgresUrl);
  store.pathname = '/hooks';
  const address = `127.0.0.1:${await freePort()}`;
  const token = randomBytes(24).toString('hex');
  const notifier = product.withEnvironment({
    PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL: store.href,
    PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS: address,
    PGSTREAM_WEBHOOK_SECRET_KEY: randomBytes(32).toString('base64'),
    PGSTREAM_WEBHOOK_API_TOKEN: token,
    PGSTREAM_WEBHOOK_ALLOW: '127.0.0.1',
  });
  await screen.step('webhook-notifier', async () => {
    await notifier.start('webhook-notifier', 'webhook-notifier');
  });
  return { url: `http://${address}`, token };
}

interface Api {
  readonly url: string;
  readonly token: string;
}

async function subscribe({ url, token }: Api, port: number, secret: string): Promise<void> {
  const answer = await fetch(`${url}/v1/subscriptions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      url: `http://127.0.0.1:${port}/bills`,
      filters: [{ schema: 'public', table: 'bills' }],
      secret,
    }),
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
}

function last({ events }: Receiver): number | undefined {
  return events.at(-1)?.data.new.total;
}
