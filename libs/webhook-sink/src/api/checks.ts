import { createHash, timingSafeEqual } from 'node:crypto';
import { RESERVED_HEADERS } from '../wire/headers.ts';

/** Why these cannot be sent with each delivery; `undefined` when they can. */
export function headerFault(headers: Readonly<Record<string, string>>): string | undefined {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[A-Za-z0-9-]{1,100}$/.test(name)) return `headers: ${JSON.stringify(name)} is not a header name`;
    if (RESERVED_HEADERS.has(name.toLowerCase())) return `headers: ${name} is set by pgstream`;
    if (!/^[\t\x20-\x7e]*$/.test(value)) return `headers: the value of ${name} must be printable ASCII`;
  }
  return undefined;
}

const MAX_DEPTH = 32;

/** Why a parsed body cannot be worked with or stored, whatever it means; `undefined` when it can. */
export function bodyFault(body: unknown): string | undefined {
  const left: (readonly [unknown, number])[] = [[body, 0]];
  // Not by recursion: a body may be nested more deeply than the stack goes.
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [value, depth] = next;
    if (typeof value === 'string' && UNSTORABLE.test(value)) return UNSTORABLE_FAULT;
    if (typeof value !== 'object' || value === null) continue;
    if (depth === MAX_DEPTH) return `the body is nested more than ${MAX_DEPTH} deep`;
    for (const [name, member] of Object.entries(value)) {
      if (UNSTORABLE.test(name)) return UNSTORABLE_FAULT;
      left.push([member, depth + 1]);
    }
  }
  return undefined;
}

/** PostgreSQL stores neither, in texts and in JSON alike. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;
const UNSTORABLE_FAULT = 'the body holds a null character or half of a surrogate pair';

/** Whether `authorization` carries the token, without telling by the time how much of it is right. */
export function hasToken(authorization: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
