import type { Counter } from 'prom-client';

/** Brings a counter up to a total that somebody else counts. Call the result before each scrape. */
export function followCounter(
  counter: Counter,
  labels: Readonly<Record<string, string>>,
  total: () => number,
): () => void {
  let seen = 0;
  counter.inc(labels, 0);
  return () => {
    const now = total();
    if (now > seen) counter.inc(labels, now - seen);
    seen = now;
  };
}
