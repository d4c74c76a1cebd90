import { formatBytes, formatDuration, parseBytes, parseDurationMs } from './units.ts';

/** How one sort of setting is written by people and read by us. */
export interface Kind<T> {
  /** What is accepted, for messages and the documentation. */
  readonly accepts: string;
  /** @throws {Error} unless `text` is accepted. */
  readonly parse: (text: string) => T;
  /** The inverse of {@link parse}, for the documentation. */
  readonly format: (value: T) => string;
}

function kind<T>(
  accepts: string,
  parse: (text: string) => T,
  format: (value: T) => string = String,
): Kind<T> {
  return { accepts, parse, format };
}

export const TEXT: Kind<string> = kind('text', (text) => text);

export const BOOLEAN: Kind<boolean> = kind('true or false', (text) => {
  const lower = text.trim().toLowerCase();
  if (['true', '1', 't', 'yes', 'on'].includes(lower)) return true;
  if (['false', '0', 'f', 'no', 'off'].includes(lower)) return false;
  throw new Error('not a boolean');
});

export const BYTES: Kind<number> = kind('a size in bytes, such as 1572864 or 64MiB', parseBytes, formatBytes);

export const DURATION_MS: Kind<number> = kind(
  'a duration of at most 24 days, such as 500ms, 1s or 1m; a bare number is milliseconds',
  parseDurationMs,
  formatDuration,
);

/** A whole number in `[min, max]`. */
export function count(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
  return kind(`a whole number ${bounds}`, (text) => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new Error('out of range');
    return value;
  });
}

/** One of `options`, upper or lower case. */
export function choice<const T extends string>(...options: readonly T[]): Kind<T> {
  return kind(`one of ${options.join(', ')}`, (text) => {
    const found = options.find((option) => option.toLowerCase() === text.trim().toLowerCase());
    if (found === undefined) throw new Error('not an option');
    return found;
  });
}

/** Text that matches; surrounding space is dropped. */
export function matching(pattern: RegExp, accepts: string): Kind<string> {
  return kind(accepts, (text) => {
    const trimmed = text.trim();
    if (!pattern.test(trimmed)) throw new Error('no match');
    return trimmed;
  });
}

/** Items separated by commas or space, each matching. Never empty. */
export function list(item: RegExp, accepts: string): Kind<readonly string[]> {
  return kind<readonly string[]>(
    accepts,
    (text) => {
      const items = text.split(/[\s,]+/).filter((entry) => entry !== '');
      if (items.length === 0 || !items.every((entry) => item.test(entry))) throw new Error('no match');
      return items;
    },
    (items) => items.join(','),
  );
}

/** A URL of one of `protocols` (without colon). */
export function url(...protocols: readonly string[]): Kind<string> {
  const shown = protocols.map((name) => `${name}://`).join(' or ');
  return kind(`a URL that starts with ${shown}`, (text) => {
    const trimmed = text.trim();
    if (!protocols.includes(new URL(trimmed).protocol.slice(0, -1))) throw new Error('other protocol');
    return trimmed;
  });
}

/** `host:port`, `:port` for every interface, `[::1]:port`. */
export const ADDRESS: Kind<string> = kind('host:port, or :port for every interface', (text) => {
  const [, port] = /^(?:\[[0-9a-f:]+\]|[^\s:]*):(\d{1,5})$/i.exec(text.trim()) ?? [];
  if (port === undefined || Number(port) > 65_535) throw new Error('not an address');
  return text.trim();
});

/** A switch of the original that must stay off, since it loses data. */
export function refusedWhenTrue(why: string): Kind<false> {
  return kind(`false only: ${why}`, (text) => {
    if (BOOLEAN.parse(text)) throw new Error(why);
    return false;
  });
}
