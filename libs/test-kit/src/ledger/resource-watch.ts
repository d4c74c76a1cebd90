import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const INTERVAL_MS = 250;
const MIB = 1024 * 1024;

export interface WatchedProcess {
  readonly name: string;
  readonly pid: number;
}

export interface ResourceSample {
  /** Milliseconds since the watch began. */
  readonly atMs: number;
  readonly rssMib: number;
  /** `null` where the system does not tell. */
  readonly descriptors: number | null;
}

/** Resident size and open descriptors of processes, sampled until it is closed. */
export class ResourceWatch {
  /** By name; a process that was replaced goes on under the name. */
  readonly samples = new Map<string, ResourceSample[]>();
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;

  /** @param processes asked at each sample, so that replaced processes are followed */
  constructor(processes: () => readonly WatchedProcess[], intervalMs = INTERVAL_MS) {
    this.#timer = setInterval(() => {
      for (const { name, pid } of processes()) this.#sample(name, pid);
    }, intervalMs);
  }

  peakMib(name: string): number {
    return Math.max(0, ...(this.samples.get(name) ?? []).map(({ rssMib }) => rssMib));
  }

  peakDescriptors(name: string): number {
    return Math.max(0, ...(this.samples.get(name) ?? []).map(({ descriptors }) => descriptors ?? 0));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(name: string, pid: number): void {
    const rssMib = residentMib(pid);
    if (rssMib === null) return;
    const list = this.samples.get(name) ?? [];
    this.samples.set(name, list);
    list.push({ atMs: performance.now() - this.#startedAt, rssMib, descriptors: openDescriptors(pid) });
  }
}

function residentMib(pid: number): number | null {
  if (!existsSync('/proc/self')) {
    const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
    return stdout.trim() === '' ? null : (Number(stdout.trim()) * 1024) / MIB;
  }
  try {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kb === undefined ? null : (Number(kb) * 1024) / MIB; // a process that has ended has none
  } catch {
    return null;
  }
}

function openDescriptors(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return null;
  }
}
