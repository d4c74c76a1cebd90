import { spawnSync } from 'node:child_process';
import type { RunningService } from '../product/product.ts';

const INTERVAL_MS = 500;
const MIB = 1024 * 1024;

/** The largest resident size of each process, sampled until it is closed. */
export class MemoryWatch {
  readonly peaksMib = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(services: readonly RunningService[]) {
    this.#timer = setInterval(() => this.#sample(services), INTERVAL_MS);
  }

  get peakMib(): number {
    return Math.max(...this.peaksMib.values());
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(services: readonly RunningService[]): void {
    for (const { name, child } of services) {
      const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' });
      const mib = (Number(stdout.trim()) * 1024) / MIB;
      this.peaksMib.set(name, Math.max(this.peaksMib.get(name) ?? 0, mib));
    }
  }
}
