/**
 * Finds values in JSON text without parsing them, so that numbers keep their digits and documents can be carried
 * from one response into another request as they are. The text should be valid JSON, as a server's response is; of any
 * other, what is found means nothing, but it is found in time.
 */

/** A member of an object: `text.slice(start, end)` is its value. */
export interface RawMember {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The members of the object that begins at `at` (at its brace or at white space before it), in order. */
export function membersOf(text: string, at = 0): RawMember[] {
  const members: RawMember[] = [];
  let i = blanks(text, at) + 1;
  for (;;) {
    i = blanks(text, i);
    const c = text[i];
    if (c === '}' || c === undefined) return members;
    if (c === ',') {
      i += 1;
      continue;
    }
    const nameEnd = stringEnd(text, i);
    const name = unquote(text.slice(i, nameEnd));
    const start = blanks(text, blanks(text, nameEnd) + 1);
    const end = valueEnd(text, start);
    members.push({ name, start, end });
    i = end;
  }
}

/** Where the elements of the array that begins at `at` stand. */
export function elementsOf(text: string, at: number): Array<{ start: number; end: number }> {
  const elements: Array<{ start: number; end: number }> = [];
  let i = blanks(text, at) + 1;
  for (;;) {
    i = blanks(text, i);
    const c = text[i];
    if (c === ']' || c === undefined) return elements;
    if (c === ',') {
      i += 1;
      continue;
    }
    // Where no value begins, one character on: what is no JSON must not hold anybody up.
    const end = Math.max(valueEnd(text, i), i + 1);
    elements.push({ start: i, end });
    i = end;
  }
}

function unquote(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}

function blanks(text: string, at: number): number {
  let i = at;
  while (text.charCodeAt(i) <= 0x20) i += 1;
  return i;
}

function stringEnd(text: string, at: number): number {
  let i = at + 1;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c === 0x22 || Number.isNaN(c)) return i + 1;
    i += c === 0x5c ? 2 : 1;
  }
}

function valueEnd(text: string, at: number): number {
  const c = text[at];
  if (c === '"') return stringEnd(text, at);
  if (c === '{' || c === '[') return nestedEnd(text, at);
  let i = at;
  while (i < text.length && !',]}'.includes(text[i] ?? '') && text.charCodeAt(i) > 0x20) i += 1;
  return i;
}

function nestedEnd(text: string, at: number): number {
  let depth = 0;
  let i = at;
  while (i < text.length) {
    const c = text[i];
    if (c === '"') {
      i = stringEnd(text, i);
      continue;
    }
    if (c === '{' || c === '[') depth += 1;
    else if (c === '}' || c === ']') depth -= 1;
    i += 1;
    if (depth === 0) return i;
  }
  return i;
}
