import { PipelineError } from '@pgstream/failure';

/** How much of a strange answer is shown: enough to know a login page by. */
const SHOWN_CHARS = 200;

export function invalidAnswer(request: string, text: string): PipelineError {
  const shown = text === '' ? 'nothing' : JSON.stringify(text.slice(0, SHOWN_CHARS));
  return new PipelineError('SEARCH_ANSWER_INVALID', { detail: `${request} answered ${shown}` });
}

/** @throws {PipelineError} SEARCH_ANSWER_INVALID for what is no JSON object. */
export function objectOf(text: string, request: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalidAnswer(request, text);
  }
  if (!isObject(parsed)) throw invalidAnswer(request, text);
  return parsed;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a text may be the JSON object that every answer of the API is: told without parsing it. */
export function isLikeObject(text: string): boolean {
  return /^\s*\{/.test(text) && text.trimEnd().endsWith('}');
}
