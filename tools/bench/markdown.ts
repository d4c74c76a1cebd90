import type { Check } from '../product/screen.ts';

/** A table of Markdown; cells hold no bars. */
export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function checkTable(checks: readonly Check[]): string {
  const rows = checks.map(({ name, value, unit, target, pass }) => [
    name,
    `${value.toFixed(2)} ${unit}`,
    `${target} ${unit}`,
    pass ? 'yes' : '**no**',
  ]);
  return table(['', 'Figure', 'Target', 'Met'], rows);
}

export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
