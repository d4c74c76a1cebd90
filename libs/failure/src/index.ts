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
export { FAILPOINTS, type FailpointName } from './failpoint-names.ts';
export {
  armFailpoints,
  failpoint,
  FAILPOINTS_VARIABLE,
  parseFailpoints,
  type ArmedFailpoint,
  type Failpoint,
} from './failpoints.ts';
export { classifyPostgres, POSTGRES_RULES, sqlStateOf } from './postgres-rules.ts';
export { withRetry, type RetryOptions } from './retry.ts';
