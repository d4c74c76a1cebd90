import type { Buffer } from 'node:buffer';
import { ACTION, actionOf, type ChangeRecord, type RecordColumn } from '@pgstream/wal-event';
import type { Matchable } from '../match/matcher.ts';
import type { BodyFormat, Ordering } from '../subscription.ts';
import { bodyOf } from '../wire/bodies.ts';
import { readRecord, wholeRecord } from '../wire/read-record.ts';
import { dependenceOf, keysOf, type Dependence } from './dependence.ts';

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
export class LogEvent implements Matchable {
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
  ) {
    this.offset = at.offset;
    this.commitTimeMs = at.commitTimeMs;
    this.value = value;
    this.#origin = at.origin;
    this.#budget = budget;
    this.#bytes = value.length;
  }

  get action(): ChangeRecord['action'] {
    return actionOf(readRecord(this.value).action);
  }

  get schema(): string {
    return readRecord(this.value).ref.schema;
  }

  get table(): string {
    return readRecord(this.value).ref.table;
  }

  get message(): ChangeRecord['message'] {
    const { action, prefix, content } = readRecord(this.value);
    return action === ACTION.message ? { prefix, content } : undefined;
  }

  get columns(): readonly RecordColumn[] | null {
    return this.record.columns;
  }

  get identity(): readonly RecordColumn[] | null {
    return this.record.identity;
  }

  get unchanged(): readonly string[] {
    return this.record.unchanged;
  }

  /** Decoded where somebody looks into it, and anew where it was let go of: see {@link ready}. */
  get record(): ChangeRecord {
    return (this.#record ??= wholeRecord(this.value));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The webhook-id: no full stop in it, since the signed text has them between its parts. */
  get id(): string {
    return (this.#id ??= `msg_${readRecord(this.value).eventId}`);
  }

  get lsn(): string {
    return (this.#lsn ??= readRecord(this.value).lsnText);
  }

  dependence(ordering: Ordering): Dependence {
    return dependenceOf(this.value, ordering);
  }

  /** Of the rows in {@link dependence}. */
  keys(ordering: Ordering): readonly string[] {
    return keysOf(this.value, ordering);
  }

  /** Made once for each format. */
  body(format: BodyFormat): Buffer {
    if (this.#format === format && this.#body !== undefined) return this.#body;
    const known = this.#others?.get(format);
    if (known !== undefined) return known;
    const { value, id } = this;
    const body = bodyOf({ value, id, origin: this.#origin }, format);
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
   * Makes what sending it in these formats takes, while its record is the one that was read last, and lets go of the decoded
   * one: of all that waits to be sent, and is thus moved by the garbage collector, the small objects of records were most.
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
