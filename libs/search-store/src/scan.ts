import { invalidAnswer } from './answer.ts';
import { elementsOf, membersOf } from './raw-json.ts';
import type { SearchStore } from './store.ts';

export interface ScannedDocument {
  readonly id: string;
  /** Decimal digits. */
  readonly version: string;
  /** The text that was indexed; `''` when sources were not asked for. */
  readonly source: string;
}

export interface ScanRequest {
  readonly index: string;
  readonly query: object;
  readonly sources: boolean;
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
}

const KEEP_ALIVE = '5m';
const FILTER = '_scroll_id,hits.hits._id,hits.hits._version,hits.hits._source';

/**
 * All documents that matched when the scan began, page by page. Of what was refreshed: refresh first.
 * Uses a scroll, which every version of every supported server has without modules.
 */
export async function* scanDocuments(
  store: SearchStore,
  request: ScanRequest,
): AsyncGenerator<readonly ScannedDocument[]> {
  const options = request.signal === undefined ? {} : { signal: request.signal };
  let { text } = await store.request('POST', `/${encodeURIComponent(request.index)}/_search`, {
    ...options,
    query: { scroll: KEEP_ALIVE, ...filterOf(request.sources) },
    body: {
      size: request.pageSize ?? 1000,
      query: request.query,
      version: true,
      _source: request.sources,
      sort: ['_doc'],
    },
  });
  let scroll = '';
  try {
    for (;;) {
      const page = pageOf(text);
      ({ scroll } = page);
      if (page.documents.length === 0) return;
      yield page.documents;
      ({ text } = await store.request('POST', '/_search/scroll', {
        ...options,
        query: filterOf(request.sources),
        body: { scroll: KEEP_ALIVE, scroll_id: scroll },
      }));
    }
  } finally {
    // Ends by itself otherwise, after the time above.
    if (scroll !== '')
      await store
        .request('DELETE', '/_search/scroll', { body: { scroll_id: [scroll] }, answers: [404] })
        .catch(() => {});
  }
}

/** A filter would rewrite the sources, and with them the form of their numbers: only where there are none. */
function filterOf(sources: boolean): Record<string, string> {
  return sources ? {} : { filter_path: FILTER };
}

function pageOf(text: string): { scroll: string; documents: ScannedDocument[] } {
  let scroll = '';
  let documents: ScannedDocument[] = [];
  for (const { name, start, end } of membersOf(text)) {
    if (name === '_scroll_id') scroll = stringAt(text, start, end);
    if (name !== 'hits') continue;
    const hits = membersOf(text, start).find((member) => member.name === 'hits');
    if (hits !== undefined)
      documents = elementsOf(text, hits.start).map((hit) => documentAt(text, hit.start));
  }
  if (scroll === '') throw invalidAnswer('_search', text);
  return { scroll, documents };
}

function documentAt(text: string, at: number): ScannedDocument {
  let id = '';
  let version = '';
  let source = '';
  for (const { name, start, end } of membersOf(text, at)) {
    if (name === '_id') id = stringAt(text, start, end);
    else if (name === '_version') version = text.slice(start, end);
    else if (name === '_source') source = text.slice(start, end);
  }
  return { id, version, source };
}

function stringAt(text: string, start: number, end: number): string {
  try {
    return String(JSON.parse(text.slice(start, end)));
  } catch {
    throw invalidAnswer('_search', text);
  }
}
