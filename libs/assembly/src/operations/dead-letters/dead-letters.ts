import { PipelineError } from '@pgstream/failure';
import { searchUrlOf } from '../../config/route.ts';
import type { PgstreamConfig } from '../../config/settings.ts';
import type {
  LetterBook,
  LetterFilter,
  LetterOutcome,
  ListedDeadLetter,
  ShownDeadLetter,
} from './letter-book.ts';
import { TopicBook } from './topic-book.ts';

export interface LetterRequest {
  readonly config: PgstreamConfig;
  /** Of the product: noted in letters that are tried again in vain. */
  readonly productVersion: string;
}

export interface LetterList {
  /** Newest first, at most `limit`. */
  readonly letters: readonly ListedDeadLetter[];
  /** Of all that match. */
  readonly total: number;
}

/** Of every store that the settings name: the topic, the index, or both. */
export async function listDeadLetters(
  request: LetterRequest,
  filter: LetterFilter,
  limit: number,
): Promise<LetterList> {
  const newest: ListedDeadLetter[] = [];
  let total = 0;
  await eachPage(request, filter, async (page) => {
    total += page.length;
    newest.push(...page);
    // Cut now and then, so that a million letters need not fit into memory.
    if (newest.length >= 2 * limit + 1000) keepNewest(newest, limit);
  });
  keepNewest(newest, limit);
  return { letters: newest, total };
}

/** How many letters there are; `null` where the settings name no store. */
export async function countDeadLetters(config: PgstreamConfig): Promise<number | null> {
  const books = await booksOf({ config, productVersion: '' });
  let sum = 0;
  for (const book of books) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one store after the other
      sum += await book.count();
    } finally {
      // oxlint-disable-next-line no-await-in-loop -- as above
      await book.close();
    }
  }
  return books.length === 0 ? null : sum;
}

/**
 * @param id as listed, or the beginning of it
 * @throws {PipelineError} DEAD_LETTER_NOT_FOUND for none, or several
 */
export async function showDeadLetter(request: LetterRequest, id: string): Promise<ShownDeadLetter> {
  const found: ShownDeadLetter[] = [];
  await eachPage(request, {}, async (page, book) => {
    for (const letter of page.filter((one) => one.id.startsWith(id))) {
      // oxlint-disable-next-line no-await-in-loop -- mostly one
      const shown = await book.show(letter);
      if (shown !== null) found.push(shown);
    }
  });
  const [letter] = found;
  if (letter !== undefined && found.length === 1) return letter;
  throw new PipelineError('DEAD_LETTER_NOT_FOUND', {
    detail: found.length === 0 ? `None is ${id}.` : `${found.length} begin with ${id}.`,
  });
}

/** Which letters to act on: by filter, or by their ids. */
export interface LetterChoice {
  readonly filter: LetterFilter;
  /** Beginnings of ids; empty means all that match. */
  readonly ids: readonly string[];
}

/** Tries to deliver what is parked, or gives it up for ever. What cannot be done is `refused`, with the reason. */
export async function settleDeadLetters(
  request: LetterRequest,
  choice: LetterChoice,
  how: { readonly act: 'retry' | 'discard'; readonly told: (outcome: LetterOutcome) => void },
): Promise<LetterOutcome[]> {
  const outcomes: LetterOutcome[] = [];
  const { ids } = choice;
  await eachPage(request, choice.filter, async (page, book) => {
    const chosen = page.filter((letter) => ids.length === 0 || ids.some((id) => letter.id.startsWith(id)));
    if (chosen.length === 0) return;
    const done = await book[how.act](chosen);
    for (const outcome of done) how.told(outcome);
    outcomes.push(...done);
  });
  return outcomes;
}

/** @throws {PipelineError} CONFIG_INVALID where the settings name no store. */
async function eachPage(
  request: LetterRequest,
  filter: LetterFilter,
  work: (page: readonly ListedDeadLetter[], book: LetterBook) => Promise<void>,
): Promise<void> {
  const books = await booksOf(request);
  if (books.length === 0) {
    throw new PipelineError('CONFIG_INVALID', {
      detail:
        'Set PGSTREAM_KAFKA_SERVERS or PGSTREAM_OPENSEARCH_STORE_URL: dead letters lie in the topic, or in the index.',
    });
  }
  for (const book of books) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one store after the other
      for await (const page of book.letters(filter)) await work(page, book);
    } finally {
      // oxlint-disable-next-line no-await-in-loop -- as above
      await book.close();
    }
  }
}

async function booksOf({ config, productVersion }: LetterRequest): Promise<LetterBook[]> {
  const { readerServers, writerServers } = config.kafka;
  const books: LetterBook[] = [];
  if (readerServers !== null || writerServers !== null) books.push(new TopicBook(config));
  if (searchUrlOf(config) !== null) {
    // loaded here, see joinRoute
    const { IndexBook } = await import('./index-book.ts');
    books.push(new IndexBook(config, productVersion));
  }
  return books;
}

function keepNewest(letters: ListedDeadLetter[], limit: number): void {
  letters.sort((a, b) => Number(a.at < b.at) - Number(a.at > b.at));
  letters.length = Math.min(letters.length, limit);
}
