import { isDeepStrictEqual } from 'node:util';
import type { ReceiverTls } from './send/receiver-tls.ts';

export const OPERATIONS = ['insert', 'update', 'delete', 'truncate', 'ddl', 'message'] as const;
/** `ddl` is a schema change; `message` is what applications write with pg_logical_emit_message. */
export type Operation = (typeof OPERATIONS)[number];

export const BODY_FORMATS = ['pgstream', 'standard', 'cloudevents'] as const;
export type BodyFormat = (typeof BODY_FORMATS)[number];

/**
 * What waits for what. `key`: events of one row come one after the other, TRUNCATE and schema changes wait for
 * everything before them. `partition`: one event at a time. `none`: as fast as possible.
 */
export const ORDERINGS = ['key', 'partition', 'none'] as const;
export type Ordering = (typeof ORDERINGS)[number];

export const COMPARISONS = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'not_in', 'is_null'] as const;

/** Compares one column of the new row, or of the old one where there is no new one. */
export interface Condition {
  readonly column: string;
  readonly op: (typeof COMPARISONS)[number];
  /** A text, number or boolean; a list of them for `in` and `not_in`; true or false for `is_null`. */
  readonly value: ConditionValue | readonly ConditionValue[];
}
export type ConditionValue = string | number | boolean;

/** All that it names must hold; what it does not name holds always. */
export interface Filter {
  /** A glob: `*` stands for any characters, `?` for one. */
  readonly schema?: string;
  /** As {@link schema}. Not asked of schema changes, which may touch several tables. */
  readonly table?: string;
  /** Default: rows and TRUNCATE, neither schema changes nor messages. */
  readonly operations?: readonly Operation[];
  /** UPDATE only when one of these columns has another value, as far as the log can tell. */
  readonly changedColumns?: readonly string[];
  readonly where?: readonly Condition[];
}

export interface LegacyScope {
  readonly schema: string;
  readonly table: string;
  /** Letters I, U, D, T, M; none: all. */
  readonly eventTypes: readonly string[];
}

export type SubscriptionState = 'active' | 'paused' | 'disabled';

/** One endpoint and what it wants to hear of. */
export interface Subscription {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  readonly origin: 'legacy' | 'v1';
  /** Of a subscription by the legacy route: it decides in place of `filters`. */
  readonly legacy: LegacyScope | null;
  readonly format: BodyFormat;
  /** An event comes when any of them matches; none: every row change and TRUNCATE. */
  readonly filters: readonly Filter[];
  readonly ordering: Ordering;
  readonly maxInFlight: number;
  readonly ratePerSecond: number | null;
  readonly timeoutMs: number;
  /** Bytes of a body; what is larger is not sent and becomes a dead letter. `null`: no limit. */
  readonly maxPayloadBytes: number | null;
  /** Sent with every delivery. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ReceiverTls | null;
  readonly state: SubscriptionState;
  readonly stateReason: string;
  /** Milliseconds since 1970; `null`: the last delivery succeeded. */
  readonly failingSinceMs: number | null;
  /** `whsec_…`, newest first. Empty: unsigned. */
  readonly secrets: readonly string[];
  readonly createdAtMs: number;
}

/** Whether what is under way for `other` goes on for `one`: the same order, the same filters. */
export function isServedAlike(one: Subscription | undefined, other: Subscription): boolean {
  return one?.ordering === other.ordering && isDeepStrictEqual(one.filters, other.filters);
}
