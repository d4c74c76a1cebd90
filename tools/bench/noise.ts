import { readdirSync, readFileSync } from 'node:fs';
import type { Stack } from '@pgstream/test-kit';
import { machineCpuS, stolenCpuS } from './processes.ts';

const TICKS_PER_S = 100; // sysconf(_SC_CLK_TCK) on Linux

interface ProcessCpu {
  readonly parent: number;
  /** With that of its children that have ended. */
  readonly cpuS: number;
}

/**
 * What others did on the machine while something was measured: none of it is the bench's, the servers' or the product's.
 * With what the host took, which is there for nobody on it.
 */
export class NoiseMeter {
  readonly #roots: readonly number[];
  readonly #from: { readonly machineS: number; readonly ownS: number; readonly atMs: number };

  /** Processes that this one starts belong to it; servers may have been started by another. */
  constructor(stack: Stack) {
    const servers = [...stack.postgres.map(({ pid }) => pid), stack.kafka?.pid, stack.search?.pid];
    this.#roots = [process.pid, ...servers.filter((pid) => pid !== undefined)];
    this.#from = this.#now();
  }

  /** Cores that others kept busy since this was made. */
  cores(): number {
    const [from, to] = [this.#from, this.#now()];
    const othersS = to.machineS - from.machineS - (to.ownS - from.ownS);
    return Math.max(0, othersS / ((to.atMs - from.atMs) / 1000));
  }

  #now() {
    return {
      machineS: machineCpuS() + stolenCpuS(),
      ownS: treeCpuS(processes(), this.#roots),
      atMs: performance.now(),
    };
  }
}

/** CPU seconds of the processes and all that descend from them. */
export function treeCpuS(all: ReadonlyMap<number, ProcessCpu>, roots: readonly number[]): number {
  const isOwn = new Map<number, boolean>(roots.map((pid) => [pid, true]));
  const belongs = (pid: number): boolean => {
    const known = isOwn.get(pid);
    if (known !== undefined) return known;
    const parent = all.get(pid)?.parent ?? 0;
    const answer = parent > 1 && belongs(parent);
    isOwn.set(pid, answer);
    return answer;
  };
  return [...all].reduce((sum, [pid, { cpuS }]) => sum + (belongs(pid) ? cpuS : 0), 0);
}

function processes(): Map<number, ProcessCpu> {
  const found = new Map<number, ProcessCpu>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(name);
    if (stat !== undefined) found.set(Number(name), stat);
  }
  return found;
}

function statOf(pid: string): ProcessCpu | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // after the command's closing parenthesis: 1 is the parent, 11 to 14 utime, stime, cutime and cstime (proc(5))
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), cpuS: ticks / TICKS_PER_S };
  } catch {
    return undefined; // it has ended meanwhile
  }
}
