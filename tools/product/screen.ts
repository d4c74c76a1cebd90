import { SingleBar } from 'cli-progress';

export interface Check {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target: number;
  readonly pass: boolean;
}

/** What a person sees of the demo: a line per step with its time, bars on long parts, a table at the end. */
export class Screen {
  readonly checks: Check[] = [];
  readonly #startedAt = performance.now();

  title(text: string): void {
    console.log(`\n${text}`);
  }

  note(text: string): void {
    console.log(`    ${text}`);
  }

  /** Runs one step and prints how long it took; its answer, if it is text, is printed behind the name. */
  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const from = performance.now();
    try {
      const result = await work();
      const detail = typeof result === 'string' ? `  ${result}` : '';
      console.log(`  ✔ ${name.padEnd(58)} ${seconds(performance.now() - from).padStart(8)}${detail}`);
      return result;
    } catch (error) {
      console.log(`  ✘ ${name.padEnd(58)} ${seconds(performance.now() - from).padStart(8)}`);
      throw error;
    }
  }

  /** A bar on a terminal; a line at each tenth elsewhere. */
  progress(label: string, total: number): (done: number) => void {
    if (!process.stdout.isTTY) return lines(label, total);
    const bar = new SingleBar({
      format: `    ${label} {bar} {percentage} % | {value}/{total}`,
      hideCursor: true,
    });
    bar.start(total, 0);
    return (done) => {
      bar.update(Math.min(done, total));
      if (done >= total) bar.stop();
    };
  }

  check(check: Omit<Check, 'pass'>, pass: boolean): void {
    this.checks.push({ ...check, pass });
  }

  summary(): boolean {
    this.title(`Checks (${seconds(performance.now() - this.#startedAt)} in all)`);
    for (const { name, value, unit, target, pass } of this.checks) {
      const figure = `${Number(value.toFixed(1))} ${unit}`;
      console.log(`  ${pass ? '✔' : '✘'} ${name.padEnd(58)} ${figure.padStart(16)}   (target ${target})`);
    }
    return this.checks.every((check) => check.pass);
  }
}

function lines(label: string, total: number): (done: number) => void {
  let printed = 0;
  return (done) => {
    const tenth = Math.min(10, Math.floor((done / total) * 10));
    if (tenth > printed) console.log(`    ${label} ${tenth * 10} %`);
    printed = Math.max(printed, tenth);
  };
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** @param sorted ascending */
export function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil((p * sorted.length) / 100) - 1)] ?? Number.NaN;
}
