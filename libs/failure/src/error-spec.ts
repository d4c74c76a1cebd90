/**
 * What the pipeline does with a failure. Callers switch on this, never on a message.
 *
 * - `retry`: transient; try the same work again, with backoff.
 * - `park`:  this record can never succeed, others can; keep it as a dead letter with its reason.
 * - `halt`:  nothing can proceed safely; stop confirming and exit for an operator.
 */
export type Disposition = 'retry' | 'park' | 'halt';

export interface ErrorSpec {
  readonly disposition: Disposition;
  /** One sentence: what happened. */
  readonly summary: string;
  /** What an operator does. `docs/errors.md` is printed from this table. */
  readonly action: string;
  /** The process's exit code when this halts it: 78 (EX_CONFIG of sysexits.h) for what time cannot heal, else 1. */
  readonly exitCode?: 78;
}
