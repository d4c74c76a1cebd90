import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_S = 100; // sysconf(_SC_CLK_TCK) on Linux

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Its own and that of children that have ended. */
  readonly cpuS: number;
}

/** CPU seconds and peak memory of a process and everything below it. */
export interface TreeUsage {
  readonly cpuS: number;
  /** The peaks of those that live, added up. */
  readonly peakRssMb: number;
}

/** @throws {Error} where there is no /proc: the bench measures on Linux. */
export function treeUsage(root: number): TreeUsage {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)));
  const tree = new Set([root]);
  // a child may have a smaller number than its parent: look until nothing is found any more
  for (let size = 0; size < tree.size;) {
    size = tree.size;
    for (const { pid, parent } of all) if (tree.has(parent)) tree.add(pid);
  }
  const mine = all.filter(({ pid }) => tree.has(pid));
  return {
    cpuS: mine.reduce((sum, { cpuS }) => sum + cpuS, 0),
    peakRssMb: mine.reduce((sum, { pid }) => sum + peakRssMb(pid), 0),
  };
}

/** Nothing for a process that has ended meanwhile. */
function readProcess(pid: number): Process[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // fields after the command's closing parenthesis, proc(5): 1 the parent, 11 to 14 utime, stime, cutime, cstime
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return [{ pid, parent: Number(fields[1]), cpuS: ticks / TICKS_PER_S }];
  } catch {
    return [];
  }
}

function peakRssMb(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
