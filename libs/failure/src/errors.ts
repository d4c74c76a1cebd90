import { types } from 'node:util';
import type { Disposition, ErrorSpec } from './error-spec.ts';
import { GENERAL_ERRORS } from './table/general.ts';
import { KAFKA_ERRORS } from './table/kafka.ts';
import { KAFKA_CONSUMER_ERRORS } from './table/kafka-consumer.ts';
import { POSTGRES_ERRORS } from './table/postgres.ts';
import { SEARCH_ERRORS } from './table/search.ts';
import { WEBHOOK_ERRORS } from './table/webhook.ts';

/** Every failure the product knows, once. `docs/errors.md` is printed from it. */
export const ERRORS = {
  ...GENERAL_ERRORS,
  ...POSTGRES_ERRORS,
  ...KAFKA_ERRORS,
  ...KAFKA_CONSUMER_ERRORS,
  ...SEARCH_ERRORS,
  ...WEBHOOK_ERRORS,
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

export interface PipelineErrorOptions {
  readonly cause?: unknown;
  /** Facts for the log line: ids, counts, LSNs. Never row values or credentials. */
  readonly facts?: Readonly<Record<string, string | number>>;
  /** What is wrong here, and the remedy where it is more exact than the table's: names the setting or object. */
  readonly detail?: string;
}

export class PipelineError extends Error {
  override readonly name = 'PipelineError';
  readonly code: ErrorCode;
  readonly facts: Readonly<Record<string, string | number>>;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, options: PipelineErrorOptions = {}) {
    const detail = options.detail === undefined ? '' : ` ${options.detail}`;
    super(`${code}: ${ERRORS[code].summary}${detail}`, { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
    this.detail = options.detail;
  }

  get disposition(): Disposition {
    return ERRORS[this.code].disposition;
  }

  get action(): string {
    return ERRORS[this.code].action;
  }

  /** What a process that stops because of this exits with: 78 for what time cannot heal, otherwise 1. */
  get exitCode(): 1 | 78 {
    const spec: ErrorSpec = ERRORS[this.code];
    return spec.exitCode ?? 1;
  }
}

export interface ClassifyRule {
  readonly code: ErrorCode;
  /** @param code SQLSTATE (`57P01`), Node errno (`ECONNRESET`) or Kafka error type; `''` if none. */
  readonly matches: (code: string) => boolean;
}

/** Wraps anything thrown, once, at the seam where it enters our code. An unknown failure halts. */
export function classify(cause: unknown, rules: readonly ClassifyRule[]): PipelineError {
  if (cause instanceof PipelineError) return cause;
  const code = rules.find((rule) => rule.matches(codeOf(cause)))?.code ?? 'UNCLASSIFIED';
  return new PipelineError(code, { cause });
}

/** The machine-readable code of a failure: `code` (Node, pg) or `type` (kafkajs); `''` if it has none. */
export function codeOf(cause: unknown): string {
  // Not `instanceof`: errors of Node itself come from another realm where tests run in a sandbox.
  if (!types.isNativeError(cause)) return '';
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return 'type' in cause && typeof cause.type === 'string' ? cause.type : '';
}
