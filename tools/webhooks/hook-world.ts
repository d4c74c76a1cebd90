import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresPool } from '@pgstream/postgres-client';
import { freePort, uniqueName, waitFor, type Random } from '@pgstream/test-kit';
import { Product, untilReady, type RunningService } from '../product/product.ts';
import { openSql } from '../product/sql.ts';
import { environmentOf, TOKEN, urlOf, type HookServers } from './hook-environment.ts';
import { judgeHooks, repeatedCount, type StoredAt } from './hook-judge.ts';
import { HookLoad, type SentEvent } from './hook-load.ts';
import type { HookReceiver } from './hook-receiver.ts';

/** One subscription under observation. */
export interface Subscribed {
  readonly id: string;
  readonly receiver: HookReceiver;
  /** Events before this one may or may not come; later ones must. */
  readonly fromIndex: number;
  readonly wants: (event: SentEvent) => boolean;
}

export interface NotifierProcess extends RunningService {
  readonly apiUrl: string;
}

const WINDOW_EVENTS = 1_000;

/** One statement, so that cursors and parked events are of one moment. */
const STORED = `SELECT s.id::text AS id,
    ARRAY(SELECT c.partition::text FROM pgstream.webhook_cursor c
      WHERE c.subscription_id = s.id AND c.topic = $1 ORDER BY c.partition) AS partitions,
    ARRAY(SELECT c.next_offset::text FROM pgstream.webhook_cursor c
      WHERE c.subscription_id = s.id AND c.topic = $1 ORDER BY c.partition) AS next,
    ARRAY(SELECT CASE WHEN c.ahead_generation = c.generation THEN c.ahead ELSE '' END FROM pgstream.webhook_cursor c
      WHERE c.subscription_id = s.id AND c.topic = $1 ORDER BY c.partition) AS ahead,
    ARRAY(SELECT r.event_id FROM pgstream.webhook_retry r WHERE r.subscription_id = s.id AND r.topic = $1) AS parked
  FROM pgstream.webhook_subscription s`;

/** Notifiers on a topic and a store of one run's own, a load, and what was seen of it. */
export class HookWorld {
  readonly load: HookLoad;
  readonly sql: PostgresPool;
  readonly subscribed: Subscribed[] = [];
  /** Processes that ended by themselves, with the end of their log. */
  readonly deserters: string[] = [];
  readonly #name: string;
  readonly #product: Product;
  readonly #dir = mkdtempSync(join(tmpdir(), 'pgstream-hooks-'));
  readonly #members = new Map<string, NotifierProcess>();
  readonly #ports = new Map<string, number>();
  readonly #admin: PostgresPool;
  readonly #stored = new Map<string, StoredAt[]>();
  readonly #releasedAt = new Map<string, number>();

  private constructor(
    name: string,
    servers: HookServers,
    pools: { sql: PostgresPool; admin: PostgresPool; random: Random; rowsPerPartition: number | undefined },
  ) {
    this.#name = name;
    this.sql = pools.sql;
    this.#admin = pools.admin;
    this.#product = new Product({ dir: this.#dir, environment: environmentOf(name, servers) });
    this.load = new HookLoad({
      connection: {
        brokers: [servers.broker],
        clientId: 'hook-load',
        connectionTimeoutMs: 10_000,
        requestTimeoutMs: 30_000,
      },
      topic: name,
      partitions: 3,
      random: pools.random,
      pauseMs: 20,
      rowsPerPartition: pools.rowsPerPartition,
    });
  }

  /** @param rowsPerPartition as {@link HookLoadOptions} has it */
  static async open(servers: HookServers, random: Random, rowsPerPartition?: number): Promise<HookWorld> {
    const name = uniqueName('hooks');
    const admin = await openSql(servers.postgresUrl, 'hook-test');
    await admin.query(`CREATE DATABASE ${name}`);
    const sql = await openSql(urlOf(servers.postgresUrl, name), 'hook-test');
    const world = new HookWorld(name, servers, { sql, admin, random, rowsPerPartition });
    await world.load.open();
    return world;
  }

  get members(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** Starts a notifier, again under its old address, and does not wait for it. */
  async launch(name: string, settings: Readonly<Record<string, string>> = {}): Promise<NotifierProcess> {
    const port = this.#ports.get(name) ?? (await freePort());
    this.#ports.set(name, port);
    const address = `127.0.0.1:${port}`;
    const product = this.#product.withEnvironment({
      ...settings,
      PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS: address,
    });
    const process = { ...(await product.launch('webhook-notifier', name)), apiUrl: `http://${address}` };
    this.#members.set(name, process);
    void this.#watch(process);
    return process;
  }

  async start(name: string): Promise<NotifierProcess> {
    const process = await this.launch(name);
    await untilReady(process);
    return process;
  }

  /** An end that is wanted; the store is read right behind it. */
  async end(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const process = this.#members.get(name);
    this.#members.delete(name);
    process?.child.kill(signal);
    await process?.exited;
    await this.readStore();
  }

  /** Waits for an end that the process makes of itself. */
  async absorbEnd(process: NotifierProcess, timeoutMs: number): Promise<number | NodeJS.Signals> {
    this.#members.delete(process.name);
    let end: number | NodeJS.Signals | undefined;
    void process.exited.then((how) => (end = how));
    await waitFor(`${process.name} to end`, () => end !== undefined, timeoutMs);
    await this.readStore();
    return end ?? 1;
  }

  logOf(name: string): string {
    return readFileSync(join(this.#dir, `${name}.log`), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(-15)
      .join('\n');
  }

  /** @param process that is asked; default one of those that are not about to end. */
  async ask(
    method: string,
    path: string,
    body?: object,
    process = [...this.#members.values()][0],
  ): Promise<{ status: number; text: string }> {
    if (process === undefined) throw new Error('no notifier runs');
    const answer = await fetch(`${process.apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  }

  /** Resolves behind the 201. */
  async subscribe(
    receiver: HookReceiver,
    spec: object = {},
    { wants = () => true }: Partial<Pick<Subscribed, 'wants'>> = {},
  ): Promise<Subscribed> {
    const { status, text } = await this.ask('POST', '/v1/subscriptions', { url: receiver.url, ...spec });
    const fromIndex = this.load.sent.length;
    if (status !== 201) throw new Error(`${receiver.name}: ${status} ${text}`);
    const { id }: { id: string } = JSON.parse(text);
    const subscribed = { id, receiver, fromIndex, wants };
    this.subscribed.push(subscribed);
    return subscribed;
  }

  /** It was removed: what was sent before `toIndex` stays owed, later events are not. */
  release({ id }: Subscribed, toIndex: number): void {
    this.#releasedAt.set(id, toIndex);
  }

  owedTo({ id, fromIndex, wants }: Subscribed): readonly SentEvent[] {
    return this.load.sent.slice(fromIndex, this.#releasedAt.get(id)).filter(wants);
  }

  /** Until everything that was sent so far has come. */
  async untilDelivered(to: Subscribed, timeoutMs: number): Promise<void> {
    const owed = this.owedTo(to);
    const { acceptedIds } = to.receiver;
    // What has come is looked for once: a million ids every 20 ms would leave the receiver no time to take them.
    let come = 0;
    await waitFor(
      `${owed.length} events at ${to.receiver.name}`,
      () => {
        while (come < owed.length && acceptedIds.has(owed[come]?.id ?? '')) come++;
        if (come < owed.length) throw new Error(`${come} of ${owed.length} have come without a hole`);
        return true;
      },
      timeoutMs,
    );
  }

  /** What must not come again from now on. */
  async readStore(): Promise<void> {
    const { rows } = await this.sql.query(STORED, [this.#name]);
    const atMs = performance.now();
    for (const row of rows) {
      const id = String(row['id']);
      const [partitions, next] = [texts(row['partitions']).map(Number), texts(row['next'])];
      const ranges = texts(row['ahead']);
      const known = this.#stored.get(id) ?? [];
      known.push({
        atMs,
        cursors: new Map(partitions.map((partition, at) => [partition, Number(next[at])])),
        ahead: new Map(partitions.map((partition, at) => [partition, offsetsIn(ranges[at] ?? '')])),
        parked: new Set(texts(row['parked'])),
      });
      this.#stored.set(id, known);
    }
  }

  async #watch(process: NotifierProcess): Promise<void> {
    const end = await process.exited;
    const { name } = process;
    if (this.#members.get(name) !== process) return;
    this.#members.delete(name);
    this.deserters.push(`${name} ended with ${end}\n${this.logOf(name)}`);
  }

  /** What was promised and not kept. */
  violations(): string[] {
    const { byId } = this.load;
    return this.subscribed.flatMap((one) =>
      judgeHooks({
        name: one.receiver.name,
        owed: this.owedTo(one),
        wants: one.wants,
        byId,
        arrivals: one.receiver.arrivals,
        stored: this.#stored.get(one.id) ?? [],
        windowEvents: WINDOW_EVENTS,
      }),
    );
  }

  get repeated(): number {
    return this.subscribed.reduce((sum, { receiver }) => sum + repeatedCount(receiver.arrivals), 0);
  }

  async close(): Promise<void> {
    await this.load.stop().catch(() => {});
    this.#members.clear();
    await this.#product.stopAll();
    await Promise.all(this.subscribed.map(({ receiver }) => receiver.close()));
    await this.load.close();
    await this.sql.end();
    await this.#admin.query(`DROP DATABASE ${this.#name} WITH (FORCE)`);
    await this.#admin.end();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** `104-107 110`, both ends of a range in it. */
function offsetsIn(ranges: string): ReadonlySet<number> {
  const offsets = new Set<number>();
  for (const range of ranges.split(' ')) {
    const [first = 0, last = first] = range === '' ? [1, 0] : range.split('-').map(Number);
    for (let offset = first; offset <= last; offset++) offsets.add(offset);
  }
  return offsets;
}
