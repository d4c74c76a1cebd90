/** Search engines refuse a JSON number of more digits, and with it the document. */
const MAX_NUMBER_LENGTH = 1000;
/** They refuse or overflow somewhere above this. */
const MAX_DEPTH = 500;
/** They look into arrays even where a field is not indexed, and refuse more than 20 in one another. PostgreSQL adds up to 6. */
const MAX_ARRAY_DEPTH = 12;

/**
 * JSON as PostgreSQL keeps it, fit to be a member of a document line: line ends, which can only be space between
 * tokens, become spaces; every digit stays. `undefined` where a search engine would refuse it, or break it when it
 * rewrites a document: equal keys in one object, unpaired surrogates, numbers beyond a double or of more than 1,000
 * characters, more than 500 levels, or more than 12 arrays in one another.
 *
 * @param text valid JSON
 * @param isJsonb it has no equal keys and no unpaired surrogates, since PostgreSQL did not keep them
 */
export function embeddableJson(text: string, isJsonb = false): string | undefined {
  if (!isEmbeddable(text, !isJsonb)) return undefined;
  return text.includes('\n') || text.includes('\r') ? text.replaceAll(/[\r\n]/g, ' ') : text;
}

/** Of each open brace and bracket; `null` for brackets. Without looking for equal keys the sets stay empty. */
type Open = (Set<string> | null)[];

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

// oxlint-disable-next-line complexity -- one branch per kind of token, one pass over the characters
function isEmbeddable(text: string, mayRepeatKeys: boolean): boolean {
  const open: Open = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      const end = endOfString(text, at);
      if (mayRepeatKeys && !isStringFit(text, { start: at, end }, open)) return false;
      at = end - 1;
    } else if (char === 0x7b || char === 0x5b) {
      open.push(char === 0x7b ? new Set() : null);
      if (open.length > MAX_ARRAY_DEPTH && isTooDeep(open)) return false;
    } else if (char === 0x7d || char === 0x5d) open.pop();
    else if (char === 0x2d || (char >= 0x30 && char <= 0x39)) {
      const end = endOfNumber(text, at);
      if (!isNumberInRange(text.slice(at, end))) return false;
      at = end - 1;
    }
  }
  return true;
}

/** The offset after the closing quote. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end + 1;
}

function isEscaped(text: string, quote: number): boolean {
  let at = quote - 1;
  while (text.charCodeAt(at) === BACKSLASH) at -= 1;
  return (quote - at) % 2 === 0;
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (isNumberPart(text.charCodeAt(end))) end += 1;
  return end;
}

/** `0-9 + - . E e` */
function isNumberPart(char: number): boolean {
  return (
    (char >= 0x30 && char <= 0x39) ||
    (char >= 0x2b && char <= 0x2e && char !== 0x2c) ||
    (char | 0x20) === 0x65
  );
}

/** Inside an object that is not indexed nothing is looked at any more. */
function isTooDeep(open: Open): boolean {
  return open.length > MAX_DEPTH || open.slice(0, MAX_ARRAY_DEPTH + 1).every((names) => names === null);
}

function isStringFit(
  text: string,
  token: { readonly start: number; readonly end: number },
  open: Open,
): boolean {
  const content = text.slice(token.start + 1, token.end - 1);
  const decoded = content.includes('\\') ? decode(`"${content}"`) : content;
  if (decoded !== content && /\p{Surrogate}/u.test(decoded)) return false;
  const names = open.at(-1);
  if (names === null || names === undefined || !isName(text, token.end)) return true;
  return names.size < names.add(decoded).size;
}

function isName(text: string, end: number): boolean {
  let at = end;
  while (text.charCodeAt(at) <= 0x20) at += 1;
  return text[at] === ':';
}

function isNumberInRange(literal: string): boolean {
  if (literal.length < 300 && !/[eE]/.test(literal)) return true;
  return literal.length <= MAX_NUMBER_LENGTH && Number.isFinite(Number(literal));
}

function decode(token: string): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a JSON string
  return JSON.parse(token) as string;
}
