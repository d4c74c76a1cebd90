import { codeOf, PipelineError } from '@pgstream/failure';
import type { Logger } from 'pino';

export interface ServiceContext {
  readonly log: Logger;
  /** Aborts when the process is told to stop. Every loop and every wait takes it. */
  readonly signal: AbortSignal;
  /** Registers a resource; resources close in the reverse order of registration. */
  readonly defer: (name: string, close: () => Promise<void>) => void;
}

export interface ServiceSpec {
  readonly log: Logger;
  /** How long a stop may take before the process gives up and exits 1. */
  readonly shutdownTimeoutMs: number;
  readonly main: (context: ServiceContext) => Promise<void>;
}

const LINGER_MS = 2_000;

/** What a process exits with: 0 done or told to stop, 1 a failure at run time, 78 what time cannot heal. */
export type ExitCode = 0 | 1 | 78;

/** The one place that knows about signals. @returns the exit code, which the caller sets. */
export async function runService(spec: ServiceSpec): Promise<ExitCode> {
  const { log } = spec;
  const stop = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(1); // the second signal means now
    log.info({ signal: name }, 'stopping');
    deadline = setTimeout(() => {
      log.fatal(
        { afterMs: spec.shutdownTimeoutMs },
        'the stop took too long; whatever was not confirmed is read again',
      );
      process.exit(1);
    }, spec.shutdownTimeoutMs);
    stop.abort(new Error(`received ${name}`));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  const closers: Array<{ name: string; close: () => Promise<void> }> = [];
  try {
    await spec.main({ log, signal: stop.signal, defer: (name, close) => closers.push({ name, close }) });
    return 0;
  } catch (error) {
    // A loop that stops because it was told to throws the signal's own reason.
    if (stop.signal.aborted && error === stop.signal.reason) return 0;
    logFailure(log, error);
    return exitCodeOf(error);
  } finally {
    for (const { name, close } of closers.toReversed()) {
      // oxlint-disable-next-line no-await-in-loop -- in reverse order, one after the other
      await close().catch((error: unknown) => log.error({ err: error, resource: name }, 'close failed'));
    }
    clearTimeout(deadline);
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
    log.info('stopped');
    endAnyway(log);
  }
}

/**
 * What was being opened when the stop or a failure came (a connection, a producer) must not keep a process that has said
 * good-bye: whoever would start it again waits for its end.
 */
function endAnyway(log: Logger): void {
  const timer = setTimeout(() => {
    log.warn('something was still open after the stop; the process ends all the same');
    process.exit();
  }, LINGER_MS);
  timer.unref();
}

export function exitCodeOf(error: unknown): 1 | 78 {
  return error instanceof PipelineError ? error.exitCode : 1;
}

/** One line that says what happened and what to do; the stack only where the failure is unknown. */
export function logFailure(log: Logger, error: unknown): void {
  if (error instanceof PipelineError && error.code !== 'UNCLASSIFIED') {
    const { code, facts, action } = error;
    log.fatal({ code, ...facts, action, cause: causeOf(error) }, error.message);
  } else {
    log.fatal({ err: error }, 'failed');
  }
}

/** The peer's own words: messages of servers and sockets name hosts, roles and tables, not values of rows. */
function causeOf({ cause }: PipelineError): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const code = codeOf(cause) === '' ? '' : `${codeOf(cause)}: `;
  const nested = cause instanceof AggregateError ? cause.errors.map(String).join('; ') : cause.message;
  return `${code}${nested}`;
}
