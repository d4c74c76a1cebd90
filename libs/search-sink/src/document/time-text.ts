/** ISO 8601 out of PostgreSQL's text of dates, timestamps and intervals. Text in, text out: never a `Date`. */

const TIMESTAMP =
  /^(\d{4,7})-(\d\d)-(\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d{1,6})?)([+-]\d\d(?::\d\d(?::\d\d)?)?)?)?( BC)?$/;

/**
 * `2026-11-21 09:14:10.325235+00` → `2026-11-21T09:14:10.325235Z`; a date stays a date. Years beyond 9999 and before
 * Christ are ISO 8601 expanded: `+294276-12-31`, `-0043-03-15` (1 BC is year 0000). Microseconds are kept.
 * `undefined` for infinity and for what ISO 8601 cannot say (an offset with seconds).
 */
export function isoTimestamp(text: string): string | undefined {
  const match = TIMESTAMP.exec(text);
  if (match === null) return undefined;
  const [, year = '', month = '', day = '', time, zone, bc] = match;
  const date = `${isoYear(year, bc !== undefined)}-${month}-${day}`;
  if (time === undefined) return date;
  const offset = isoOffset(zone);
  return offset === undefined ? undefined : `${date}T${time}${offset}`;
}

function isoYear(year: string, beforeChrist: boolean): string {
  if (!beforeChrist) return year.length === 4 ? year : `+${year}`;
  const astronomical = Number(year) - 1;
  return `${astronomical === 0 ? '' : '-'}${String(astronomical).padStart(4, '0')}`;
}

function isoOffset(zone: string | undefined): string | undefined {
  if (zone === undefined) return '';
  if (zone === '+00') return 'Z';
  if (zone.length === 3) return `${zone}:00`;
  return zone.length === 6 ? zone : undefined;
}

/**
 * The instant of an ISO text of the years 0000 to 9999 in whole milliseconds, as a date field floors it;
 * `undefined` for other years.
 */
export function epochMs(iso: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3})\d*)?)?(Z|[+-]\d\d:\d\d)?$/.exec(
    iso,
  );
  if (match === null) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offsetSeconds(zone);
  const days = daysFromCivil(Number(year), Number(month), Number(day));
  return (days * 86_400 + seconds) * 1000 + Number(fraction.padEnd(3, '0'));
}

function offsetSeconds(zone: string): number {
  if (zone === 'Z') return 0;
  const seconds = Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4, 6)) * 60;
  return zone.startsWith('-') ? -seconds : seconds;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

const INTERVAL =
  /^(?:([+-]?\d+) years? ?)?(?:([+-]?\d+) mons? ?)?(?:([+-]?\d+) days? ?)?(?:([+-]?)(\d+):(\d\d):(\d\d(?:\.\d{1,6})?))?$/;

/**
 * `1 year 2 mons -3 days +04:05:06.789` → `P1Y2M-3DT4H5M6.789S`: each part has its own sign, as in PostgreSQL's
 * own `iso_8601` style. `undefined` for infinity (PostgreSQL 17) and other styles.
 */
export function isoInterval(text: string): string | undefined {
  const match = text === '' ? null : INTERVAL.exec(text);
  if (match === null) return undefined;
  const [, years, months, days, sign = '', hours, minutes, seconds] = match;
  const date = `${part(years, 'Y')}${part(months, 'M')}${part(days, 'D')}`;
  const minus = sign === '-' ? '-' : '';
  const time = `${clock(hours, 'H', minus)}${clock(minutes, 'M', minus)}${clock(seconds, 'S', minus)}`;
  if (time !== '') return `P${date}T${time}`;
  return date === '' ? 'PT0S' : `P${date}`;
}

function part(digits: string | undefined, unit: string): string {
  if (digits === undefined) return '';
  return `${digits.startsWith('+') ? digits.slice(1) : digits}${unit}`;
}

function clock(digits: string | undefined, unit: string, sign: string): string {
  const plain = digits?.replace(/^0+(?=\d)/, '') ?? '0';
  return /^0(\.0*)?$/.test(plain) ? '' : `${sign}${plain}${unit}`;
}
