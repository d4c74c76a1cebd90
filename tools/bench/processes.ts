import { readFileSync } from 'node:fs';

/** CPU seconds of a process and its peak memory, as the operating system accounts for them. */
export interface Usage {
  readonly cpuS: number;
  readonly peakRssMb: number;
  readonly rssMb: number;
}

const TICKS_PER_S = 100; // sysconf(_SC_CLK_TCK) on Linux

/** @throws {Error} where there is no /proc: the bench measures on Linux. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // fields after the command's closing parenthesis: 11 and 12 are utime and stime (proc(5))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const peakKb = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
  const kb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
  return {
    rssMb: kb / 1024,
    cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S,
    peakRssMb: peakKb / 1024,
  };
}

/** CPU seconds that everything on the machine used, for the noise of others. */
export function machineCpuS(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split(/\s+/);
  return [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_S;
}

/** CPU seconds that the host gave to others while something here was ready to run: `steal` of proc_stat(5). */
export function stolenCpuS(stat = readFileSync('/proc/stat', 'utf8')): number {
  return Number(stat.split(/\s+/)[8]) / TICKS_PER_S;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [
    sorted[middle - (sorted.length % 2 === 0 ? 1 : 0)] ?? Number.NaN,
    sorted[middle] ?? Number.NaN,
  ];
  return (low + high) / 2;
}
