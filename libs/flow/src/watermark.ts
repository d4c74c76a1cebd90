/**
 * Turns batches of one lane that finish in any order into the newest checkpoint that is safe to confirm: every batch
 * at or before it has settled.
 */
export class Watermark<Checkpoint> {
  readonly #inOrder: Array<{ checkpoint: Checkpoint | undefined; settled: boolean }> = [];
  #safe: Checkpoint | undefined;

  get outstanding(): number {
    return this.#inOrder.length;
  }

  /**
   * Registers a batch, in lane order. Call the result once it has settled.
   * @param checkpoint absent for a batch that ends where nothing may be confirmed.
   */
  track(checkpoint: Checkpoint | undefined): () => void {
    const entry = { checkpoint, settled: false };
    this.#inOrder.push(entry);
    return () => {
      entry.settled = true;
      this.#advance();
    };
  }

  /** The newest safe checkpoint since the last call; `undefined` when there is none that is new. */
  take(): Checkpoint | undefined {
    const safe = this.#safe;
    this.#safe = undefined;
    return safe;
  }

  #advance(): void {
    let passed = 0;
    for (const entry of this.#inOrder) {
      if (!entry.settled) break;
      if (entry.checkpoint !== undefined) this.#safe = entry.checkpoint;
      passed++;
    }
    if (passed > 0) this.#inOrder.splice(0, passed);
  }
}
