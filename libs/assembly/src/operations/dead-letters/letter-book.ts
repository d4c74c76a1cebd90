import { createHash } from 'node:crypto';

export const NO_KEY =
  'the record cannot be read, so that there is nothing to write: correct what wrote it, let the row change again, and discard this letter';

/** A letter as it is listed. */
export interface ListedDeadLetter {
  /** 12 hex digits, the same for as long as the letter is there. */
  readonly id: string;
  /** Where it lies. */
  readonly store: 'index' | 'topic';
  /** Which sink refused it. */
  readonly sink: string;
  readonly code: string;
  /** The peer's own words, at the first refusal. */
  readonly reason: string;
  readonly schema: string;
  readonly table: string;
  /** The key of the row as text; of an undecodable record its place in the topic. */
  readonly identity: string | null;
  /** Of the newest change of the key; of the record, where it parks no key. */
  readonly position: string;
  /** When it was parked first, ISO 8601. */
  readonly at: string;
  /** Later changes of the key that wait with it. */
  readonly coalesced: number;
  /** How often it was tried again in vain, and why the last time. */
  readonly attempts: number;
  readonly lastReason: string | null;
}

/** A letter with all that is kept of it. */
export interface ShownDeadLetter extends ListedDeadLetter {
  readonly epoch: number;
  /** Of the change that was refused first. */
  readonly firstPosition: string;
  /** The document that is to be written; `null` where the letter parks no key, or it was too large to keep. */
  readonly document: string | null;
  readonly record: string | null;
}

/** Which letters are meant; members that are absent mean all. */
export interface LetterFilter {
  readonly sink?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly key?: string;
}

export interface LetterOutcome {
  readonly letter: ListedDeadLetter;
  /** `superseded`: the target has a newer state. `refused` and `changed`: the letter stays. */
  readonly outcome: 'released' | 'superseded' | 'discarded' | 'refused' | 'changed';
  readonly reason: string | null;
}

/** Where letters lie. A letter is good for the book that it came from. */
export interface LetterBook {
  count(): Promise<number>;
  /** Those that match, in no certain order, some at a time. */
  letters(filter: LetterFilter): AsyncGenerator<readonly ListedDeadLetter[]>;
  /** `null` where it is gone. */
  show(letter: ListedDeadLetter): Promise<ShownDeadLetter | null>;
  retry(letters: readonly ListedDeadLetter[]): Promise<LetterOutcome[]>;
  discard(letters: readonly ListedDeadLetter[]): Promise<LetterOutcome[]>;
  close(): Promise<void>;
}

export function shortId(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

export function matches(letter: ListedDeadLetter, { sink, schema, table, key }: LetterFilter): boolean {
  return (
    (sink === undefined || sinkName(letter.sink) === sink) &&
    (schema === undefined || letter.schema === schema) &&
    (table === undefined || letter.table === table) &&
    (key === undefined || letter.identity === key)
  );
}

/** `kafka` for `kafka:<topic>`. */
function sinkName(sink: string): string {
  const end = sink.indexOf(':');
  return end < 0 ? sink : sink.slice(0, end);
}
