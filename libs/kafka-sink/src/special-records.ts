import { Buffer } from 'node:buffer';
import type { RecordHeader } from '@pgstream/kafka-client';
import { ACTION, RecordReader, valueAt } from '@pgstream/wal-event';
import { AFTER_HEADER, KIND_HEADER } from './heartbeat.ts';
import { IdentityKeys, qualifiedName, type Keying } from './key.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { Item, RecordAppender } from './record-appender.ts';
import { schemaRoute, type SchemaRoute } from './schema-moves.ts';

const SCHEMA_HEADER: RecordHeader = { key: KIND_HEADER, value: Buffer.from('schema') };
const NO_KEY = Buffer.alloc(0);

/** Records that go to more than one partition, or wait for others: schema changes, TRUNCATE, rows whose key changed. */
export class SpecialRecords {
  readonly #appender: RecordAppender;
  readonly #keying: Keying;
  readonly #reader = new RecordReader();
  readonly #identityKeys = new IdentityKeys();

  constructor(appender: RecordAppender, keying: Keying) {
    this.#appender = appender;
    this.#keying = keying;
  }

  async append(item: Omit<Item, 'key'>, signal: AbortSignal): Promise<void> {
    const { batch, i } = item;
    const action = batch.actions[i];
    if (action === ACTION.message) {
      const route = schemaRoute(valueAt(batch, i));
      if (route === null) this.#appender.appendTo(this.#appender.queueOf(NO_KEY), { ...item, key: NO_KEY });
      else await this.#appendSchema({ ...item, key: Buffer.from(route.schemaName) }, route, signal);
      return;
    }
    if (action === ACTION.truncate) {
      const ref = batch.tables[i];
      const key = Buffer.from(ref === undefined ? '' : qualifiedName(ref));
      for (const queue of this.#appender.sender.queues) this.#appender.appendTo(queue, { ...item, key });
      return;
    }
    await this.#appendMoved(item, signal);
  }

  /** First to the old key's partition, then to the new one's, which waits for the first. */
  async #appendMoved(item: Omit<Item, 'key'>, signal: AbortSignal): Promise<void> {
    const { batch, i } = item;
    const reader = this.#reader;
    reader.read(batch.bytes, batch.starts[i] ?? 0, batch.ends[i] ?? 0);
    const key = this.#identityKeys.current(reader);
    const oldKey = this.#identityKeys.previous(reader) ?? key;
    const from = this.#appender.queueOf(oldKey);
    this.#appender.appendTo(from, { ...item, key: oldKey });
    await this.#drained([from], signal);
    this.#appender.appendTo(this.#appender.queueOf(key), { ...item, key }, after([from]));
  }

  /**
   * A schema change reaches every partition that holds rows of its tables. Where rows get another partition, those that
   * receive them wait for what the others hold: with keys by schema for the old schema's copy of this record, otherwise
   * for everything in front of it, since any row may have moved from anywhere to anywhere.
   */
  async #appendSchema(item: Item, route: SchemaRoute, signal: AbortSignal): Promise<void> {
    const { queues } = this.#appender.sender;
    if (this.#keying !== 'schema') {
      if (route.renamesTables) await this.#drained(queues, signal);
      const edges = queues.map((queue) =>
        route.renamesTables ? after(queues.filter((other) => other !== queue)) : [],
      );
      for (const [p, queue] of queues.entries())
        this.#appender.appendTo(queue, item, [SCHEMA_HEADER, ...(edges[p] ?? [])]);
      return;
    }
    const queueOfSchema = (schema: string) => this.#appender.queueOf(Buffer.from(schema));
    const from = new Set(route.schemaMoves.map((move) => queueOfSchema(move.from)));
    const to = new Set(
      route.schemaMoves.map((move) => queueOfSchema(move.to)).filter((queue) => !from.has(queue)),
    );
    for (const queue of new Set(route.schemas.map((schema) => queueOfSchema(schema)))) {
      if (!to.has(queue)) this.#appender.appendTo(queue, item, [SCHEMA_HEADER]);
    }
    if (to.size === 0) return;
    await this.#drained([...from], signal);
    for (const queue of to) this.#appender.appendTo(queue, item, [SCHEMA_HEADER, ...after([...from])]);
  }

  async #drained(queues: readonly PartitionQueue[], signal: AbortSignal): Promise<void> {
    await this.#appender.sender.until(() => queues.every((queue) => queue.isIdle), signal);
  }
}

/** The record that carries it waits until the group has committed past the newest data record of each of `queues`. */
function after(queues: readonly PartitionQueue[]): RecordHeader[] {
  const edges = queues
    .filter(({ dataOffset }) => dataOffset >= 0n)
    .map(({ partition, dataOffset }) => ({ partition, offset: String(dataOffset) }));
  return edges.length === 0 ? [] : [{ key: AFTER_HEADER, value: Buffer.from(JSON.stringify(edges)) }];
}
