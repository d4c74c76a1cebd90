import type { AssignedPartition } from '@pgstream/kafka-client';

/**
 * When an assignment is told. A hand-over may outlast the rebalance: whoever was told of a partition before it has ended
 * would give it up with the one that goes.
 */
export class Assignments {
  readonly #tell: (partitions: readonly AssignedPartition[]) => void;
  #handOvers = 0;
  #untold: readonly AssignedPartition[] = [];

  constructor(tell: (partitions: readonly AssignedPartition[]) => void) {
    this.#tell = tell;
  }

  /** Some have not ended: nothing is told, and no batch is handed out. */
  get isHandingOver(): boolean {
    return this.#handOvers > 0;
  }

  /** It came back and was not told yet: whoever asks about it means the one that goes. */
  isUntold(partition: number): boolean {
    return this.#untold.some((one) => one.partition === partition);
  }

  /** Takes the place of what was assigned before. */
  assigned(partitions: readonly AssignedPartition[]): void {
    this.#untold = partitions;
    this.#tellAll();
  }

  /** Gone again before they were told. */
  forget(partitions: readonly number[]): void {
    this.#untold = this.#untold.filter(({ partition }) => !partitions.includes(partition));
  }

  handOverBegins(): void {
    this.#handOvers++;
  }

  handOverEnded(): void {
    this.#handOvers--;
    this.#tellAll();
  }

  #tellAll(): void {
    if (this.isHandingOver || this.#untold.length === 0) return;
    const partitions = this.#untold;
    this.#untold = [];
    this.#tell(partitions);
  }
}
