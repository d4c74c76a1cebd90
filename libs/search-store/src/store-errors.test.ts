import { readBulkResponse } from './bulk-response.ts';
import { codeOfProblem, problemOf } from './store-errors.ts';

test.each([
  [429, 'rejected_execution_exception', 'SEARCH_UNREACHABLE'],
  [503, 'unavailable_shards_exception', 'SEARCH_UNREACHABLE'],
  [403, 'cluster_block_exception', 'SEARCH_UNREACHABLE'],
  [400, 'index_closed_exception', 'SEARCH_UNREACHABLE'],
  [403, 'security_exception', 'SEARCH_FORBIDDEN'],
  [401, '', 'SEARCH_FORBIDDEN'],
  [413, '', 'SEARCH_BULK_TOO_LARGE'],
  [400, 'mapper_parsing_exception', 'SEARCH_REQUEST_REFUSED'],
])('%d %s is %s', (status, type, code) => {
  expect(codeOfProblem({ status, type, reason: '' })).toBe(code);
});

test('the reason of a refusal is the innermost one; a body that is no JSON is quoted', () => {
  const body = '{"error":{"type":"a","reason":"b","caused_by":{"reason":"c"}},"status":400}';
  expect(problemOf(400, body)).toEqual({ status: 400, type: 'a', reason: 'b (c)' });
  expect(problemOf(502, '<html>')).toEqual({ status: 502, type: '', reason: '<html>' });
});

test('a bulk without errors is not parsed; of others, only items with an error are failures', () => {
  expect(readBulkResponse('{"took":7,"errors":false,"items":[garbage', 3)).toEqual({
    tookMs: 7,
    failures: [],
  });
  const items = [
    { index: { status: 201 } },
    { delete: { status: 404 } },
    { index: { status: 409, error: { type: 'version_conflict_engine_exception', reason: 'old' } } },
  ];
  const text = JSON.stringify({ took: 3, errors: true, items });
  expect(readBulkResponse(text, 3).failures).toEqual([
    { item: 2, status: 409, type: 'version_conflict_engine_exception', reason: 'old' },
  ]);
});
