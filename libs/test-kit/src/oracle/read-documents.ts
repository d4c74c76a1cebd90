/** The raw JSON text of a field of a document. */
export type FieldText = string;

const PAGE = 5_000;

/** Every document behind an alias, refreshed first; fields as raw JSON text so that no digit is lost. */
export async function* readDocuments(
  searchUrl: string,
  index: string,
): AsyncGenerator<ReadonlyMap<string, FieldText>> {
  const path = encodeURIComponent(index);
  await request(searchUrl, 'POST', `/${path}/_refresh`);
  let page = await request(searchUrl, 'POST', `/${path}/_search?scroll=1m`, { size: PAGE, sort: ['_doc'] });
  for (;;) {
    const hits = hitsOf(page);
    for (const hit of hits) yield hit;
    const scrollId = member(page, '_scroll_id');
    if (hits.length < PAGE) {
      await request(searchUrl, 'DELETE', '/_search/scroll', { scroll_id: scrollId });
      return;
    }
    page = await request(searchUrl, 'POST', '/_search/scroll', { scroll: '1m', scroll_id: scrollId });
  }
}

/** JSON as a field of a document reads it: every digit, no white space. */
export function fieldTextOf(json: string): FieldText {
  return textOf(parseLossless(json));
}

function hitsOf(page: unknown): Array<ReadonlyMap<string, FieldText>> {
  const hits = member(member(page, 'hits'), 'hits');
  if (!Array.isArray(hits)) throw new Error('a search answer without hits');
  return hits.map((hit) => {
    const source: unknown = member(hit, '_source');
    return new Map(Object.entries(source ?? {}).map(([name, value]) => [name, textOf(value)]));
  });
}

/** A number as the digits that were received. */
class Literal {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

function textOf(value: unknown): FieldText {
  if (value instanceof Literal) return value.source;
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${textOf(inner)}`);
  return `{${members.join(',')}}`;
}

async function request(searchUrl: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`${searchUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
  return parseLossless(text);
}

function parseLossless(text: string): unknown {
  return JSON.parse(text, keepDigits);
}

/** @see https://github.com/tc39/proposal-json-parse-with-source */
function keepDigits(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && context?.source !== undefined ? new Literal(context.source) : value;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
