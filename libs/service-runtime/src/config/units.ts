const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

const TIME_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * `1572864`, `64MiB`, `1.5 MB`: bytes.
 * @throws {RangeError} unless `text` is a number with an optional unit and a whole number of bytes.
 */
export function parseBytes(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = BYTE_UNITS[unit.toLowerCase()];
  const bytes = Number(amount) * (factor ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) throw new RangeError('not a size in bytes');
  return bytes;
}

/** A timer of Node that is longer ends at once. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/**
 * `500ms`, `1s`, `1m30s`, `2h`: milliseconds. A bare number is milliseconds, as in the YAML files of the original.
 * @throws {RangeError} for anything else, and for more than 24 days.
 */
export function parseDurationMs(text: string): number {
  const ms = anyDurationMs(text.trim());
  if (!(ms <= MAX_DURATION_MS)) throw new RangeError('too long');
  return ms;
}

function anyDurationMs(trimmed: string): number {
  if (/^\d+$/.test(trimmed)) return Number(trimmed);
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|min|[smhd])/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== trimmed) {
    throw new RangeError('not a duration');
  }
  return parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (TIME_UNITS_MS[unit] ?? 0), 0);
}

/** `64MiB`, `1500KB`, `17`: the largest unit that shows the size exactly. */
export function formatBytes(bytes: number): string {
  for (const [name, factor] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${name}`;
  }
  return String(bytes);
}

/** `1m`, `10s`, `500ms`. */
export function formatDuration(ms: number): string {
  for (const [name, factor] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${name}`;
  }
  return `${ms}ms`;
}
