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

/** Whether `authorization` carries the token, without telling by the time how much of it is right. */
export function hasToken(authorization: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
