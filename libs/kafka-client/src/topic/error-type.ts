/** The protocol's name of what the library failed with, `''` for anything else: it wraps what exhausted its retries. */
export function kafkaErrorType(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  if ('type' in cause && typeof cause.type === 'string') return cause.type;
  return cause.cause === undefined ? '' : kafkaErrorType(cause.cause);
}
