import type { BenchWorld } from './bench-world.ts';

const PREFIX = 'warm-up-';
/** A server that has met one index only compiles anew when it meets many. */
const INDICES = 20;
const LOOPS = 2;
const SEARCHES_PER_BULK = 3;
const MAPPINGS = {
  dynamic: false,
  properties: {
    id: { type: 'long' },
    note: { type: 'keyword', fields: { text: { type: 'text' } } },
    _table: { type: 'keyword' },
    _pgstream: { properties: { version: { type: 'long' }, table: { type: 'keyword' } } },
  },
};

/**
 * Small bulks that carry a refresh, and searches, as fast as the store takes them: the work that is measured afterwards.
 * A server that has run for a day has its code compiled. A fresh one compiles for minutes at a hundred commits per second,
 * half a core of it, which was most of what the measurement showed.
 */
export async function warmStore(world: BenchWorld, forMs: number): Promise<void> {
  const settings = { number_of_shards: 1, number_of_replicas: 0 };
  const bases = Array.from({ length: INDICES }, (_, i) => `${world.searchUrl}/${PREFIX}${i}`);
  for (const base of bases) await send(base, 'PUT', { settings, mappings: MAPPINGS });
  const endMs = performance.now() + forMs;
  let id = 0;
  const loop = async () => {
    while (performance.now() < endMs) {
      const base = bases[id % INDICES] ?? '';
      const lines: string[] = [];
      for (const first = id; id < first + 3; id++) {
        lines.push(`{"index":{"_id":"${id}","version":${id},"version_type":"external_gte"}}`);
        lines.push(`{"id":${id},"note":"now","_pgstream":{"table":"t","version":${id}}}`);
      }
      await send(`${base}/_bulk?filter_path=errors&refresh=true`, 'POST', `${lines.join('\n')}\n`);
      for (let n = 0; n < SEARCHES_PER_BULK; n++) {
        const query = { range: { id: { gt: id - 5 } } };
        const body = { size: 500, _source: false, track_total_hits: false, query, sort: [{ id: 'asc' }] };
        await send(`${base}/_search?filter_path=hits.hits.sort`, 'POST', body);
      }
    }
  };
  await Promise.all(Array.from({ length: LOOPS }, loop));
  for (const base of bases) await send(base, 'DELETE');
}

/** @throws {Error} when the store refuses it */
async function send(url: string, method: string, body?: object | string): Promise<void> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': typeof body === 'string' ? 'application/x-ndjson' : 'application/json' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${text.slice(0, 300)}`);
}
