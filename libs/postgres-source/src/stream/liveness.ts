/** Pure decisions about a connection that may be dead; the caller owns the timer. */
export interface Liveness {
  /** Between status messages. */
  readonly statusIntervalMs: number;
  /** Ask the server for an answer after this much silence. */
  readonly pingAfterMs: number;
  /** Silence that ends the connection: decoding of a long transaction may be silent for a while, a dead peer for ever. */
  readonly deadAfterMs: number;
}

const PING_AFTER_MS = 10_000;
const MIN_PATIENCE_MS = 60_000;

/** @param walSenderTimeoutMs as the server has it for this session; 0 for none */
export function livenessFor(walSenderTimeoutMs: number, statusIntervalMs: number): Liveness {
  // Several chances per timeout: one status may be late or lost in a stall
  const quarter = walSenderTimeoutMs > 0 ? Math.max(20, walSenderTimeoutMs / 4) : statusIntervalMs;
  return {
    statusIntervalMs: Math.min(statusIntervalMs, quarter),
    pingAfterMs: PING_AFTER_MS,
    deadAfterMs: PING_AFTER_MS + Math.max(2 * walSenderTimeoutMs, MIN_PATIENCE_MS),
  };
}

export function verdict(liveness: Liveness, silentMs: number): 'quiet' | 'ping' | 'dead' {
  if (silentMs >= liveness.deadAfterMs) return 'dead';
  return silentMs >= liveness.pingAfterMs ? 'ping' : 'quiet';
}
