export { systemClock, type Clock } from './clock.ts';
export type { Disposition, ErrorSpec } from './error-spec.ts';
export {
  classify,
  codeOf,
  ERRORS,
  PipelineError,
  type ClassifyRule,
  type ErrorCode,
  type PipelineErrorOptions,
} from './errors.ts';
export { classifyPostgres, POSTGRES_RULES, sqlStateOf } from './postgres-rules.ts';
export { withRetry, type RetryOptions } from './retry.ts';
