interface Signals {
  readonly given: AbortSignal;
  readonly revoked: AbortController;
  readonly all: AbortSignal;
}

/** By source lane: what ends its work, which is the caller's signal, the loss of the lane, or the end of the sink. */
export class LaneSignals {
  readonly #closed: AbortSignal;
  readonly #signals = new Map<number, Signals>();

  constructor(closed: AbortSignal) {
    this.#closed = closed;
  }

  /** Combined once per lane: a combined signal is never quite forgotten. */
  of(lane: number, given: AbortSignal): AbortSignal {
    const known = this.#signals.get(lane);
    if (known?.given === given) return known.all;
    const revoked = known?.revoked ?? new AbortController();
    const all = AbortSignal.any([given, this.#closed, revoked.signal]);
    this.#signals.set(lane, { given, revoked, all });
    return all;
  }

  revoke(lane: number): void {
    this.#signals.get(lane)?.revoked.abort(new Error('lane revoked'));
    this.#signals.delete(lane);
  }
}
