import { setTimeout as sleep } from 'node:timers/promises';

/** @throws where it takes longer; the work itself goes on. */
export async function withDeadline(work: Promise<void>, timeoutMs: number): Promise<void> {
  const done = new AbortController();
  const late = async () => {
    await sleep(timeoutMs, undefined, { signal: done.signal });
    throw new Error(`not done within ${timeoutMs} ms`);
  };
  try {
    await Promise.race([work, late()]);
  } finally {
    done.abort();
  }
}
