import { endpoints, uniqueName } from '@pgstream/test-kit';
import {
  ByteSink,
  DocumentBuilder,
  fieldNameOf,
  mappingOf,
  PGSTREAM_MAPPING,
} from '../src/document/index.ts';
import type { Layout } from '../src/document/index.ts';
import { recordOf } from './fake-record.ts';
import { VALUE_MATRIX, type MatrixLine } from './value-matrix.ts';

interface Hits {
  readonly hits: {
    readonly hits: readonly { readonly _id: string; readonly _ignored?: readonly string[] }[];
  };
}
interface BulkAnswer {
  readonly items: readonly {
    readonly index: { readonly _id: string; readonly error?: { reason: string } };
  }[];
}

const columns = VALUE_MATRIX.map(({ type, shape }, i) => ({ id: `t-v${i}`, name: `v${i}`, type, ...shape }));

function lineOf(type: string, text: string): number {
  const index = VALUE_MATRIX.findIndex((line) => line.type === type && line.text === text);
  if (index < 0) throw new Error(`no such line: ${type} ${text}`);
  return index;
}

async function call(method: string, path: string, body?: unknown): Promise<string> {
  const headers = { 'content-type': path.includes('_bulk') ? 'application/x-ndjson' : 'application/json' };
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const init = body === undefined ? { method } : { method, headers, body: payload };
  const response = await fetch(`${endpoints().searchUrl}/${path}`, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
  return text;
}

async function search(index: string, query: unknown): Promise<Hits['hits']['hits']> {
  const answer = await call('POST', `${index}/_search`, { query, size: 1000, _source: false });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the server's answer
  return (JSON.parse(answer) as Hits).hits.hits;
}

/** Elasticsearch reports texts above `ignore_above` too, and does not read years beyond 9999. */
function elsewhere(line: MatrixLine): boolean {
  return line.field.startsWith('"+') || line.text.startsWith('€');
}

/** One document per line of the matrix, each with the one field of that line. */
function bulkBody(layout: Layout): string {
  const builder = new DocumentBuilder({ layout });
  builder.setShape('t', columns);
  const out = new ByteSink();
  VALUE_MATRIX.forEach(({ type, text, shape }, i) => {
    out.writeAscii(`{"index":{"_id":"${i}"}}\n`);
    builder.build(out, recordOf({ columns: [{ name: `v${i}`, type, text, ...(shape && { shape }) }] }), '1');
    out.writeAscii('\n');
  });
  return out.view().toString();
}

async function indexMatrix(index: string, layout: Layout): Promise<BulkAnswer> {
  await call('PUT', index, {
    settings: { number_of_shards: 1, number_of_replicas: 0 },
    mappings: {
      dynamic: false,
      properties: { ...mappingOf(columns, layout), _pgstream: PGSTREAM_MAPPING, _table: { type: 'keyword' } },
    },
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the server's answer
  return JSON.parse(await call('POST', `${index}/_bulk?refresh=true`, bulkBody(layout))) as BulkAnswer;
}

function nameLine(id: string): string {
  const line = VALUE_MATRIX[Number(id)];
  return `${line?.type} ${line?.text.slice(0, 60)}`;
}

function refusals(answer: BulkAnswer): string[] {
  return answer.items.flatMap(({ index: { _id: id, error } }) =>
    error === undefined ? [] : [`${nameLine(id)}: ${JSON.stringify(error)}`],
  );
}

describe('value matrix in a real index', () => {
  const index = uniqueName('value-matrix');
  let answer: BulkAnswer;

  beforeAll(async () => {
    answer = await indexMatrix(index, 'table');
  });
  afterAll(async () => {
    await call('DELETE', `${index},${index}-ids,${index}-names?ignore_unavailable=true`);
  });

  test('no value of any type makes the index refuse its document', () => {
    expect(refusals(answer)).toEqual([]);
    expect(answer.items).toHaveLength(VALUE_MATRIX.length);
  });

  test('layout pgstream: no value of any type makes the index refuse its document', async () => {
    expect(refusals(await indexMatrix(`${index}-ids`, 'pgstream'))).toEqual([]);
  });

  test('a column may have any name', async () => {
    const names = (
      'a a.b . .. a% a%2E _id _index _source _type _routing _field_names _ignored _seq_no _primary_term _version ' +
      '_size _doc_count _nested_path _tier _all _parent _uid _timestamp _ttl _score _pgstream _table _feature _tsid ' +
      '_data_stream_timestamp _inference_fields _ignored_source _other __proto__ constructor properties type * a,b ' +
      `a:b "q" \\ ' -x #x ñ 😀 ${'x'.repeat(63)}`
    ).split(' ');
    const odd = [...names, ' ', '\t', '\n', ' x '].map((name, i) => ({ id: `t-${i}`, name, type: 'text' }));
    await call('PUT', `${index}-names`, {
      mappings: { dynamic: false, properties: { ...mappingOf(odd, 'table'), _pgstream: PGSTREAM_MAPPING } },
    });
    const out = new ByteSink();
    const row = recordOf({ columns: odd.map((column, i) => ({ ...column, text: `value ${i}` })) });
    new DocumentBuilder({ layout: 'table' }).build(out, row, '1');

    await call('PUT', `${index}-names/_doc/1?refresh=true`, out.view().toString());

    expect(await call('GET', `${index}-names/_source/1`)).toBe(out.view().toString());
    const found = await Promise.all(
      odd.map(({ name }, i) => search(`${index}-names`, { term: { [fieldNameOf(name)]: `value ${i}` } })),
    );
    expect(odd.filter((_, i) => found[i]?.length !== 1).map(({ name }) => name)).toEqual([]);
  });

  test('every field comes back byte for byte', async () => {
    const wrong: string[] = [];
    const check = async ({ field }: MatrixLine, i: number): Promise<void> => {
      const source = await call('GET', `${index}/_source/${i}`);
      if (!source.startsWith(`{"v${i}":${field},"_pgstream":`))
        wrong.push(`${nameLine(String(i))}: ${source}`);
    };
    await Promise.all(VALUE_MATRIX.map(check));
    expect(wrong).toEqual([]);
  });

  test('every value is searchable, but those that only _source can hold', async () => {
    const ignored = await search(index, { exists: { field: '_ignored' } });
    const lines = ignored.map(({ _id: id }) => VALUE_MATRIX[Number(id)]);
    expect(
      lines.filter((line) => line !== undefined && !elsewhere(line)).map((line) => line?.text.length),
    ).toEqual([131_072]);
  });

  test('years beyond 9999 are searchable in OpenSearch', async () => {
    const line = lineOf('date', '5874897-12-31');
    const hits = await search(index, { range: { [`v${line}`]: { gt: '9999-12-31' } } });
    const version = await call('GET', '_nodes/_local?filter_path=nodes.*.version');
    const isOpenSearch = /"version":"[1-4]\./.test(version);
    expect(hits.map(({ _id: id }) => id)).toEqual(isOpenSearch ? [String(line)] : []);
  });

  test.each<[string, string, string, (field: string) => unknown]>([
    ['bigint', '9223372036854775807', 'term', (f) => ({ term: { [f]: '9223372036854775807' } })],
    ['numeric', '-0.5000', 'range', (f) => ({ range: { [f]: { gt: -0.6, lt: -0.4 } } })],
    ['numeric', '-0.5000', 'exact digits', (f) => ({ term: { [`${f}.exact`]: '-0.5000' } })],
    ['money', '-$1,234.50', 'term', (f) => ({ term: { [f]: -1234.5 } })],
    ['date', '0044-03-15 BC', 'range', (f) => ({ range: { [f]: { lt: '0000-01-01' } } })],
    [
      'timestamp(3) with time zone',
      '2026-11-21 09:14:10+05:30',
      'range in UTC',
      (f) => ({ range: { [f]: { gte: '2026-11-21T03:44:10Z', lte: '2026-11-21T03:44:10Z' } } }),
    ],
    ['text', 'ab   ', 'whole value with its padding', (f) => ({ term: { [f]: 'ab   ' } })],
    ['public.citext', 'MiXed', 'words', (f) => ({ match: { [`${f}.text`]: 'mixed' } })],
    ['bigint[]', '{{1,2},{3,4}}', 'element', (f) => ({ term: { [f]: 4 } })],
    ['app.address', '(1,"x,""y",{1.5})', 'attribute', (f) => ({ range: { [`${f}.prices`]: { gte: 1.5 } } })],
    ['int4range', '[1,5)', 'contained value', (f) => ({ term: { [f]: 4 } })],
    ['int4multirange', '{[1,3),[7,9)}', 'contained value', (f) => ({ term: { [f]: 8 } })],
  ])('%s %s is found by %s', async (type, text, _, query) => {
    const line = lineOf(type, text);
    const hits = await search(index, query(`v${line}`));
    expect(hits.map(({ _id: id }) => id)).toEqual([String(line)]);
  });
});
