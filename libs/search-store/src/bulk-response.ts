import { invalidAnswer, isObject, objectOf } from './answer.ts';
import { problemOf, type StoreProblem } from './store-errors.ts';

/** An item that the store did not take, by its place in the bulk. */
export interface BulkFailure extends StoreProblem {
  readonly item: number;
}

export interface BulkResponse {
  readonly tookMs: number;
  /** Empty when every item was taken. In the order of the items. */
  readonly failures: readonly BulkFailure[];
}

/** Members of the response that are asked for: a clean bulk of 5,000 documents answers in 140 kB, not 1 MB. */
export const BULK_FILTER =
  'took,errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason';

const CLEAN = /^\{"took":(\d+),"errors":false[,}]/;

/**
 * Reads the response to a bulk of so many items; one without errors is not parsed. Only what says that every item was
 * taken, or says which were not, counts: anything else may come from a proxy, and would pass for success.
 * @throws {PipelineError} SEARCH_ANSWER_INVALID
 */
export function readBulkResponse(text: string, items: number): BulkResponse {
  const clean = CLEAN.exec(text);
  if (clean !== null) return { tookMs: Number(clean[1]), failures: [] };
  const answer = objectOf(text, '_bulk');
  const { took, errors, items: operations } = answer;
  const tookMs = typeof took === 'number' ? took : 0;
  if (errors === false) return { tookMs, failures: [] };
  if (errors !== true || !Array.isArray(operations) || operations.length !== items)
    throw invalidAnswer('_bulk', text);
  const failures = operations.flatMap((operation: unknown, item) => failuresOf(operation, item, text));
  if (failures.length === 0) throw invalidAnswer('_bulk', text);
  return { tookMs, failures };
}

/** A delete of a document that is not there says 404 without an error: the delete is remembered, which is success. */
function failuresOf(operation: unknown, item: number, text: string): BulkFailure[] {
  if (!isObject(operation)) throw invalidAnswer('_bulk', text);
  const results = Object.values(operation);
  if (results.length !== 1) throw invalidAnswer('_bulk', text);
  return results.flatMap((result) => {
    if (!isObject(result) || typeof result['status'] !== 'number') throw invalidAnswer('_bulk', text);
    if (result['error'] === undefined && result['status'] < 500) return [];
    const { status, type, reason } = problemOf(result['status'], result);
    return [{ item, status, type, reason }];
  });
}
