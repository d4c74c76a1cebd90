import { PipelineError } from '@pgstream/failure';
import { mayRetry, type Cluster } from './cluster.ts';

const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 1000;

/**
 * Runs `attempt` until it succeeds, fails with what repeating cannot heal, the cluster is closed, or `timeoutMs` have
 * passed since the start.
 * The time is checked before each attempt too: a process that was stopped and wakes late does not send again.
 * @throws {PipelineError} `KAFKA_DELIVERY_TIMEOUT` with the last failure as its cause.
 */
export async function untilDeadline<T>(
  cluster: Cluster,
  timeoutMs: number,
  attempt: () => Promise<T>,
): Promise<T> {
  const startMs = performance.now();
  let pauseMs = FIRST_PAUSE_MS;
  let last: unknown;
  while (performance.now() - startMs <= timeoutMs) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- each attempt follows the failure of the one before
      return await attempt();
    } catch (cause) {
      if (!mayRetry(cause) || cluster.isClosed) throw cause;
      last = cause;
    }
    const waitMs = pauseMs * (0.5 + Math.random() / 2);
    // oxlint-disable-next-line no-await-in-loop -- the pause between attempts
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
  }
  const detail = last instanceof PipelineError ? `Last answer: ${last.detail ?? last.code}` : '';
  throw new PipelineError('KAFKA_DELIVERY_TIMEOUT', { cause: last, detail });
}
