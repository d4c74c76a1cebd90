interface RetrySettings {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly maxRetries: number;
  readonly constantMs: number;
  readonly constantMaxRetries: number;
  readonly disabled: boolean;
}

export interface RetryPolicy {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Attempts without progress; `null`: no limit; 0: none. */
  readonly maxRetries: number | null;
}

/** The original's six variables as one policy. A constant wait, where given, stands in place of the growing ones. */
export function retryPolicy(settings: RetrySettings): RetryPolicy {
  const { initialMs, maxMs, maxRetries, constantMs, constantMaxRetries, disabled } = settings;
  if (disabled) return { initialMs, maxMs, maxRetries: 0 };
  if (constantMs > 0) {
    return {
      initialMs: constantMs,
      maxMs: constantMs,
      maxRetries: constantMaxRetries === 0 ? null : constantMaxRetries,
    };
  }
  return { initialMs, maxMs: Math.max(initialMs, maxMs), maxRetries: maxRetries === 0 ? null : maxRetries };
}
