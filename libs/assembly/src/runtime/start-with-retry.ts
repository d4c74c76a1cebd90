import { classify, PipelineError, systemClock, withRetry, type ClassifyRule } from '@pgstream/failure';
import type { RetryPolicy } from '../config/retry-policy.ts';
import { namingSetting } from './naming-setting.ts';
import type { RunContext } from './run-context.ts';

export interface RetriedStart {
  /** What is being tried, for log and metric: `postgres`, `kafka`, `search`. */
  readonly part: string;
  readonly policy: RetryPolicy;
  /** The setting that names the peer. */
  readonly setting: string;
  readonly rules?: readonly ClassifyRule[];
}

/**
 * Tries until it works, as long as time can heal the failure and the policy allows: a process that starts before its
 * peers waits for them.
 */
export async function startWithRetry<T>(
  { log, metrics, signal }: RunContext,
  { part, policy, setting, rules = [] }: RetriedStart,
  attempt: () => Promise<T>,
): Promise<T> {
  let failures = 0;
  const counted = async () => {
    try {
      return await attempt();
    } catch (cause) {
      const error = namingSetting(classify(cause, rules), setting);
      failures += 1;
      if (policy.maxRetries === null || failures <= policy.maxRetries || error.disposition !== 'retry')
        throw error;
      throw new PipelineError('RETRIES_EXHAUSTED', {
        cause: error,
        detail: `${part}: ${failures} attempts; last: ${error.code}.`,
      });
    }
  };
  return await withRetry(counted, {
    initialMs: policy.initialMs,
    maxMs: policy.maxMs,
    classify: (cause) => classify(cause, rules),
    onRetry: (error, waitMs) => {
      metrics.pgstream_retries_total.inc({ part, code: error.code });
      const facts = { part, setting, code: error.code, waitMs: Math.round(waitMs), cause: causeOf(error) };
      log.warn(facts, 'not reachable, trying again');
    },
    clock: systemClock,
    signal,
  });
}

function causeOf({ cause }: PipelineError): string | undefined {
  return cause instanceof Error ? cause.message : undefined;
}
