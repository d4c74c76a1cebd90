import { LinkedOrder, type Linked } from '@pgstream/flow';

/** Something that is under way and is to end in time. */
export interface Timed<T> extends Linked<T> {
  /** Ticks. */
  readonly startedAtMs: number;
  readonly timeoutMs: number;
  /** Its time is over. Called once, and after that it is not held here any more. */
  expire(): void;
}

/** Those with the same timeout, in the order of their beginning, which is that of their end. */
interface Line<T extends Timed<T>> {
  readonly under: LinkedOrder<T>;
  timer: NodeJS.Timeout | undefined;
}

/** What is under way, with one timer for all that have the same timeout: a timer for each costs more than the rest of it. */
export class Deadlines<T extends Timed<T>> {
  readonly #lines = new Map<number, Line<T>>();

  add(one: T): void {
    const { timeoutMs } = one;
    let line = this.#lines.get(timeoutMs);
    if (line === undefined)
      this.#lines.set(timeoutMs, (line = { under: new LinkedOrder(), timer: undefined }));
    line.under.append(one);
    if (line.timer === undefined) this.#arm(line, timeoutMs, timeoutMs);
  }

  delete(one: T): void {
    // The timer goes on: at its end it looks for who is the oldest by then.
    this.#lines.get(one.timeoutMs)?.under.delete(one);
  }

  all(): T[] {
    return [...this.#lines.values()].flatMap(({ under }) => under.all());
  }

  /** Nobody is told any more that their time is over. */
  close(): void {
    for (const { timer } of this.#lines.values()) clearTimeout(timer);
    this.#lines.clear();
  }

  #arm(line: Line<T>, timeoutMs: number, waitMs: number): void {
    line.timer = setTimeout(() => this.#look(line, timeoutMs), Math.max(1, Math.ceil(waitMs)));
    // What is under way has a socket that keeps the process.
    line.timer.unref();
  }

  #look(line: Line<T>, timeoutMs: number): void {
    line.timer = undefined;
    for (let one = line.under.first; one !== undefined; one = line.under.first) {
      const leftMs = one.startedAtMs + timeoutMs - performance.now();
      if (leftMs > 0) return this.#arm(line, timeoutMs, leftMs);
      line.under.delete(one);
      one.expire();
    }
    // Whoever expired may have begun another one, and a timer with it.
    if (line.under.size === 0 && line.timer === undefined) this.#lines.delete(timeoutMs);
  }
}
