import type { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import {
  decodeRecord,
  eventId,
  formatLsn,
  RecordReader,
  type ChangeRecord,
  type RecordColumn,
  type RecordValue,
} from '@pgstream/wal-event';
import type { BodyFormat, Ordering } from '../subscription.ts';
import { bodyOf } from '../wire/bodies.ts';

/** One for all events: what it knows of tables and columns makes a record a quarter as dear. */
const READER = new RecordReader();

/** Bytes of events that are held, over all lanes of the process. */
export class EventBudget {
  readonly maxBytes: number;
  #held = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#held;
  }

  get isFull(): boolean {
    return this.#held >= this.maxBytes;
  }

  add(bytes: number): void {
    this.#held += bytes;
  }
}

/** One record of the log, held once for all subscriptions that want it. */
export class LogEvent {
  readonly offset: number;
  readonly value: Buffer;
  /** Milliseconds since 1970. */
  readonly commitTimeMs: number;
  readonly #budget: EventBudget;
  readonly #origin: string;
  #format: BodyFormat | undefined;
  #body: Buffer | undefined;
  /** In other formats than the first that was asked for. */
  #others: Map<BodyFormat, Buffer> | undefined;
  #record: ChangeRecord | undefined;
  #id: string | undefined;
  #lsn: string | undefined;
  #holders = 0;
  #bytes: number;

  /** @param value Bytes that stay as they are. */
  constructor(
    at: { readonly offset: number; readonly commitTimeMs: number; readonly origin: string },
    value: Buffer,
    budget: EventBudget,
    record?: ChangeRecord,
  ) {
    this.offset = at.offset;
    this.commitTimeMs = at.commitTimeMs;
    this.value = value;
    this.#origin = at.origin;
    this.#budget = budget;
    this.#record = record;
    this.#bytes = value.length;
  }

  /** Read anew where it was let go of: see {@link ready}. */
  get record(): ChangeRecord {
    return (this.#record ??= decodeRecord(this.value, READER));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The webhook-id: no full stop in it, since the signed text has them between its parts. */
  get id(): string {
    if (this.#id === undefined) {
      const { epoch, position } = this.record;
      this.#id = `msg_${eventId(epoch, position)}`;
    }
    return this.#id;
  }

  get lsn(): string {
    return (this.#lsn ??= formatLsn(this.record.lsn));
  }

  /** Made once for each format. */
  body(format: BodyFormat): Buffer {
    if (this.#format === format && this.#body !== undefined) return this.#body;
    const known = this.#others?.get(format);
    if (known !== undefined) return known;
    const { value, record, id } = this;
    const body = bodyOf({ value, record, id, origin: this.#origin }, format);
    if (this.#body === undefined) {
      this.#format = format;
      this.#body = body;
    } else {
      (this.#others ??= new Map()).set(format, body);
    }
    this.#bytes += body.length;
    if (this.#holders > 0) this.#budget.add(body.length);
    return body;
  }

  /**
   * Makes what sending it in these formats takes, and lets go of the record: of all that waits to be sent, and is thus moved
   * by the garbage collector, the many small objects of records were most.
   */
  ready(formats: readonly BodyFormat[]): void {
    for (const format of formats) this.body(format);
    this.#lsn = this.lsn;
    this.#record = undefined;
  }

  hold(): void {
    if (this.#holders++ === 0) this.#budget.add(this.#bytes);
  }

  letGo(): void {
    if (--this.#holders === 0) this.#budget.add(-this.#bytes);
  }
}

/** What an event has to wait for within its lane. */
export interface Dependence {
  /** The rows that it touches: events that share one come one after the other. */
  readonly keys: readonly string[];
  /** It waits for everything before it, and everything behind it waits for it. */
  readonly isBarrier: boolean;
}

/** Characters of a key that is not hashed. */
const MAX_KEY_TEXT = 256;

const ALONE: Dependence = { keys: [], isBarrier: false };
const BARRIER: Dependence = { keys: [], isBarrier: true };

export function dependenceOf(record: ChangeRecord, ordering: Ordering): Dependence {
  if (ordering === 'none') return ALONE;
  if (ordering === 'partition' || record.action === 'T' || record.action === 'M') return BARRIER;
  const keys = rowsOf(record);
  return keys.length === 0 ? BARRIER : { keys, isBarrier: false };
}

/** The rows that it touches: a changed key touches two. Where the old key was not sent, it is the new one. */
function rowsOf({ tableId, keyColumnIds, columns, identity }: ChangeRecord): readonly string[] {
  // Rows without a key cannot be told apart, so the table is one row.
  if (keyColumnIds === null) return [keyText(tableId, [])];
  const now = rowKey(tableId, columns, keyColumnIds);
  const before = rowKey(tableId, identity, keyColumnIds);
  if (now === undefined) return before === undefined ? [] : [before];
  return before === undefined || before === now ? [now] : [now, before];
}

/** `undefined` where the row does not say its whole key. */
function rowKey(
  tableId: string,
  row: readonly RecordColumn[] | null,
  ids: readonly string[],
): string | undefined {
  if (row === null) return undefined;
  const values: RecordValue[] = [];
  for (const id of ids) {
    const value = row.find((column) => column.id === id)?.value;
    if (value === undefined) return undefined;
    values.push(value);
  }
  return keyText(tableId, values);
}

/** A JSON array, or for what is long its hash: keys are held for each lane, and V8 compares long texts by their length. */
function keyText(tableId: string, values: readonly RecordValue[]): string {
  const text = JSON.stringify([tableId, values]);
  return text.length <= MAX_KEY_TEXT ? text : hashed(text);
}

/** What is kept of a key outside of the lane, in the store too, where its length and its words have no place. */
export function keyHash(key: string): string {
  return key.startsWith('[') ? hashed(key) : key;
}

function hashed(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
