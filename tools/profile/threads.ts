import { readFileSync } from 'node:fs';
import { usageOf } from '../bench/processes.ts';

/** CPU seconds of a process, as the operating system accounts for them. */
export interface ThreadCpu {
  readonly allS: number;
  readonly mainS: number;
}

/** The main thread has the number of its process; schedstat counts it in nanoseconds (proc(5)). */
export function threadCpuOf(pid: number): ThreadCpu {
  const [runNs] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return { allS: usageOf(pid).cpuS, mainS: Number(runNs) / 1e9 };
}
