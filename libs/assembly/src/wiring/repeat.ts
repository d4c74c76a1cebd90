import { classify, POSTGRES_RULES, systemClock, type PipelineError } from '@pgstream/failure';
import type { RunContext } from '../runtime/run-context.ts';

/** Does `work` again and again until the stop, `intervalMs` after each end. A failure is told and tried again. */
export function repeat(
  { signal, defer }: RunContext,
  intervalMs: number,
  work: () => Promise<void>,
  onFailure: (error: PipelineError) => void,
): void {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const running = (async () => {
    while (!both.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      await work().catch((cause: unknown) => onFailure(classify(cause, POSTGRES_RULES)));
      // oxlint-disable-next-line no-await-in-loop -- as above
      await systemClock.sleep(intervalMs, both).catch(() => {});
    }
  })();
  defer('periodic work', async () => {
    stop.abort();
    await running;
  });
}
