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
 */
export function embeddableJson(text: string): string | undefined {
  if (!isEmbeddable(text)) return undefined;
  return text.includes('\n') || text.includes('\r') ? text.replaceAll(/[\r\n]/g, ' ') : text;
}

/** Strings, numbers, braces and colons; what lies between them is space, commas and `true`, `false`, `null`. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\]:]/gs;

// oxlint-disable-next-line complexity -- one branch per token
function isEmbeddable(text: string): boolean {
  /** Of each open brace and bracket; `null` for brackets. */
  const open: (Set<string> | null)[] = [];
  let name = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : null);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      if (!addKey(open.at(-1), name)) return false;
    } else if (token.startsWith('"') ? !isWellFormed(token) : !isNumberInRange(token)) return false;
    if (open.length > MAX_ARRAY_DEPTH && isTooDeep(open)) return false;
    name = token;
  }
  return true;
}

/** Inside an object that is not indexed nothing is looked at any more. */
function isTooDeep(open: readonly (Set<string> | null)[]): boolean {
  return open.length > MAX_DEPTH || open.slice(0, MAX_ARRAY_DEPTH + 1).every((names) => names === null);
}

function isWellFormed(token: string): boolean {
  return !token.includes('\\u') || !/\p{Surrogate}/u.test(decode(token));
}

function addKey(seen: Set<string> | null | undefined, token: string): boolean {
  const key = token.includes('\\') ? decode(token) : token.slice(1, -1);
  if (seen === null || seen === undefined || seen.has(key)) return false;
  seen.add(key);
  return true;
}

function isNumberInRange(literal: string): boolean {
  if (literal.length < 300 && !/[eE]/.test(literal)) return true;
  return literal.length <= MAX_NUMBER_LENGTH && Number.isFinite(Number(literal));
}

function decode(token: string): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a JSON string
  return JSON.parse(token) as string;
}
