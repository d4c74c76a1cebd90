import fc from 'fast-check';
import { classifyType, convertText } from './index.ts';
import { epochMs, isoInterval } from './time-text.ts';

function convert(type: string, text: string): unknown {
  const note = { lossy: false };
  const json = convertText(classifyType(type), text, note);
  expect(note.lossy).toBe(false);
  return JSON.parse(json);
}

/** As array_out does it. */
function arrayText(value: string | null | readonly (string | null)[]): string {
  if (value === null) return 'NULL';
  if (typeof value !== 'string') return `{${value.map(arrayText).join(',')}}`;
  const plain = value !== '' && !/["\\{},\s]/.test(value) && value.toUpperCase() !== 'NULL';
  return plain ? value : quoted(value);
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** As record_out and range_out do it. */
function quotedField(text: string): string {
  return /^$|["\\(),[\]\s]/.test(text) ? `"${text.replaceAll(/["\\]/g, '$&$&')}"` : text;
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('"', '\\', ',', '{', '}', '(', ')', ' ', 'NULL', 'a', '[', ']', '=>', ''),
  }),
);
const element = fc.option(anyText);

describe('conversions of any value', () => {
  test('text arrays of one and two dimensions', () => {
    const rows = fc.oneof(
      fc.array(element),
      fc
        .integer({ min: 1, max: 4 })
        .chain((n) => fc.array(fc.array(element, { minLength: n, maxLength: n }), { minLength: 1 })),
    );
    fc.assert(
      fc.property(rows, (value) =>
        expect(convert('text[]', `{${value.map(arrayText).join(',')}}`)).toEqual(value),
      ),
    );
  });

  test('composites', () => {
    fc.assert(
      fc.property(fc.array(element, { minLength: 1 }), (values) => {
        const attributes = values.map((_, i) => ({ name: `a${i}`, type: 'text' }));
        const field = classifyType('app.t', { base_type: 'composite', attributes });
        const text = `(${values.map((value) => (value === null ? '' : quotedField(value))).join(',')})`;
        const json: unknown = JSON.parse(convertText(field, text, { lossy: false }));
        expect(json).toEqual(Object.fromEntries(values.map((value, i) => [`a${i}`, value])));
      }),
    );
  });

  test('hstore', () => {
    const pairs = fc.uniqueArray(fc.tuple(anyText, element), { selector: ([key]) => key });
    fc.assert(
      fc.property(pairs, (entries) => {
        const text = entries.map(([k, v]) => `${quoted(k)}=>${v === null ? 'NULL' : quoted(v)}`).join(', ');
        expect(convert('public.hstore', text)).toEqual(Object.fromEntries(entries));
      }),
    );
  });

  test('integer ranges', () => {
    const bound = fc.option(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }));
    fc.assert(
      fc.property(bound, bound, (a, b) => {
        const [low, high] = a !== null && b !== null && a > b ? [b, a] : [a, b];
        const text = `[${low ?? ''},${high ?? ''}]`;
        const json = convertText(classifyType('int8range'), text, { lossy: false });
        const members = [low === null ? '' : `"gte":${low}`, high === null ? '' : `"lte":${high}`];
        expect(json).toBe(`{${members.filter((member) => member !== '').join(',')}}`);
      }),
    );
  });

  test('intervals, against a slow reading of their words', () => {
    const part = fc.option(fc.integer({ min: -10_000, max: 10_000 }).filter((n) => n !== 0));
    const micros = fc.option(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }).filter((n) => n !== 0n));
    fc.assert(
      fc.property(part, part, part, micros, (years, months, days, clock) => {
        const words = [plural(years, 'year'), plural(months, 'mon'), plural(days, 'day'), clockText(clock)];
        const text = words.filter((word) => word !== '').join(' ') || '00:00:00';
        expect(microsOfIso(isoInterval(text) ?? '')).toEqual([
          years ?? 0,
          months ?? 0,
          days ?? 0,
          clock ?? 0n,
        ]);
      }),
    );
  });

  test('instants, against the clock of the platform', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          expect(epochMs(date.toISOString())).toBe(date.getTime());
        },
      ),
    );
  });

  test('no text of any type throws or leaves JSON', () => {
    const types = [
      'integer[]',
      'public.hstore',
      'int4range',
      'tsmultirange',
      'interval',
      'money',
      'bytea',
      'public.vector',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...types), anyText, (type, text) => {
        expect(() => void JSON.parse(convertText(classifyType(type), text, { lossy: false }))).not.toThrow();
      }),
    );
  });
});

function plural(count: number | null, unit: string): string {
  return count === null ? '' : `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function two(digits: bigint): string {
  return String(digits).padStart(2, '0');
}

function clockText(micros: bigint | null): string {
  if (micros === null) return '';
  const abs = micros < 0n ? -micros : micros;
  const fraction = String(abs % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const seconds = abs / 1_000_000n;
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return `${micros < 0n ? '-' : ''}${clock}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Years, months, days and microseconds of an ISO 8601 duration, one designator after the other. */
function microsOfIso(iso: string): [number, number, number, bigint] {
  const [date = '', time = ''] = iso.slice(1).split('T');
  const seconds = read(time, 'S');
  const [whole = '0', fraction = ''] = seconds.replace('-', '').split('.');
  const micros = BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0') || '0');
  const clock =
    (BigInt(read(time, 'H')) * 3600n + BigInt(read(time, 'M')) * 60n) * 1_000_000n +
    (seconds.startsWith('-') ? -micros : micros);
  return [Number(read(date, 'Y')), Number(read(date, 'M')), Number(read(date, 'D')), clock];
}

function read(part: string, unit: string): string {
  return new RegExp(`(-?[\\d.]+)${unit}`).exec(part)?.[1] ?? '0';
}
