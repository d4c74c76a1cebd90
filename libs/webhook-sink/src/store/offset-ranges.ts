/** Offsets as ranges with both ends in them: `104-107 110`. Neighbours take the place of one. */
export function rangesText(offsets: Iterable<number>): string {
  const sorted = [...offsets].toSorted((a, b) => a - b);
  const ranges: string[] = [];
  for (let at = 0; at < sorted.length;) {
    const first = sorted[at] ?? 0;
    let last = first;
    while (++at < sorted.length && (sorted[at] ?? 0) <= last + 1) last = sorted[at] ?? last;
    ranges.push(first === last ? String(first) : `${first}-${last}`);
  }
  return ranges.join(' ');
}

/** What {@link rangesText} was given, in order; none of what is no text. */
export function offsetsOf(ranges: unknown): number[] {
  if (typeof ranges !== 'string') return [];
  return ranges.split(' ').flatMap((range) => {
    if (range === '') return [];
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
