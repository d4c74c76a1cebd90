/** How far the stream may lag behind the server's commits before it counts as a backlog. */
const BEHIND_MS = 250;
/** The rest in a backlog: until about so much has come, which the buffers of both kernels hold. */
const BACKLOG_REST_BYTES = 3 * 1024 * 1024;
/** Its bounds. The first is short, each one up to twice as long as the last: nobody knows yet how fast the server is. */
const [MIN_BACKLOG_REST_MS, MAX_BACKLOG_REST_MS] = [10, 100];
/** A read below this much means that we have what there was. The second for a backlog. */
const SHORT_READ_BYTES = 64 * 1024;
const SHORT_BACKLOG_READ_BYTES = 200 * 1024;
const MS_2000 = 946_684_800_000;

/**
 * Decides how long the socket rests after a read, so that the kernel gathers more.
 *
 * A walsender sends each row by itself. While its peer has room, each costs a trip through TCP; once the peer's buffer is
 * full, rows are only added to what waits to be sent. Measured over loopback: 5.5 µs of walsender a row against 2.8, and 165,000
 * rows/s against 290,000. So a reader that is faster than the server must not show it: in a backlog it lets the buffers
 * fill, where a tenth of a second more matters to nobody. Rows that are fresh get the short rest, which their latency pays.
 */
export class ReadPacing {
  readonly #lazyReadMs: number;
  readonly #now: () => number;
  /** The server's clock at the first row or transaction of the read, milliseconds since 1970; 0 when none came. */
  #sentMs = 0;
  /** Of this backlog: the last rest, when it began, and what was read since. */
  #restMs = 0;
  #restedAtMs = 0;
  #bytes = 0;

  /** @param lazyReadMs the short rest; 0 never rests */
  constructor(lazyReadMs: number, now: () => number = () => performance.now()) {
    this.#lazyReadMs = lazyReadMs;
    this.#now = now;
  }

  /** Whether {@link sentAt} still wants to know the server's clock of this read. */
  get wantsClock(): boolean {
    return this.#sentMs === 0;
  }

  /** @param us of the server's clock when it sent a frame, microseconds since 2000 */
  sentAt(us: number): void {
    this.#sentMs = MS_2000 + us / 1000;
  }

  /**
   * After a read of `bytes`: how long to rest, 0 to read on.
   * @param commitMs of the last transaction received, by the same clock of the server: ours may be set otherwise
   */
  rest(bytes: number, commitMs: number): number {
    const isBehind = this.#sentMs > 0 && commitMs > 0 && this.#sentMs - commitMs > BEHIND_MS;
    this.#sentMs = 0;
    if (this.#lazyReadMs === 0) return 0;
    if (isBehind) return this.#backlogRest(bytes);
    this.#restMs = 0;
    return bytes < SHORT_READ_BYTES ? this.#lazyReadMs : 0;
  }

  #backlogRest(bytes: number): number {
    this.#bytes += bytes;
    if (bytes >= SHORT_BACKLOG_READ_BYTES) return 0;
    const now = this.#now();
    const enoughMs = (BACKLOG_REST_BYTES / this.#bytes) * (now - this.#restedAtMs);
    const longestMs = Math.min(MAX_BACKLOG_REST_MS, 2 * this.#restMs);
    this.#restMs = Math.max(MIN_BACKLOG_REST_MS, Math.round(Math.min(enoughMs, longestMs)));
    this.#restedAtMs = now;
    this.#bytes = 0;
    return this.#restMs;
  }
}
