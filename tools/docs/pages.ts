import { GROUP_TITLES, METRIC_TABLES, REFUSED_FLAGS, SETTING_TABLE } from '@pgstream/assembly';
import { openApiDocument } from '@pgstream/webhook-sink';
import { ERRORS, FAILPOINTS, type ErrorSpec } from '@pgstream/failure';
import { configTables, knownNameTables, metricsMarkdown } from '@pgstream/service-runtime';
import { performanceParts, performancePlots } from '../bench/performance-page.ts';
import { reliabilityParts } from '../faults/reliability-page.ts';
import { soakPlots } from '../soak/committed-soak.ts';

const GENERATED = '<!-- Printed by `npm run docs` from the tables in the code. Do not edit. -->';

/** File name below `docs/` to content. */
export function pages(): ReadonlyMap<string, string> {
  return new Map([
    ['configuration.md', configurationPage()],
    ['errors.md', errorsPage()],
    ['metrics.md', metricsPage()],
    ['failpoints.md', failpointsPage()],
    ['reliability.md', page('Reliability', reliabilityParts())],
    ['performance.md', page('Performance', performanceParts())],
    ...performancePlots(),
    ...soakPlots(),
  ]);
}

/** The document of the webhook API, which asks its routes and so takes a moment. */
export async function openApiPage(): Promise<readonly [string, string]> {
  return ['openapi.json', `${JSON.stringify(await openApiDocument(), null, 2)}\n`];
}

function configurationPage(): string {
  const flags = [...REFUSED_FLAGS].map(([flag, why]) => `| \`${flag}\` | ${why} |`);
  return page('Configuration', [
    'Sources, each winning over the one before: the defaults below, a file (`-c FILE`: `.env`, or YAML by its name), the environment, flags. In files `${NAME}` and `${NAME:-text}` stand for environment variables, `$${` for a literal `${`.',
    'Sizes are bytes or `64MiB`; durations are `500ms`, `1s`, `1m`, and a bare number is milliseconds; lists are separated by commas or space; an empty value is no value. Unknown `PGSTREAM_*` variables and unknown YAML keys stop the process. All faults are listed at once, and the exit code is 78.',
    configTables(SETTING_TABLE.settings, GROUP_TITLES),
    knownNameTables(SETTING_TABLE),
    ['## Refused flags', '', '| Flag | Why |', '| --- | --- |', ...flags].join('\n'),
  ]);
}

function errorsPage(): string {
  const rows = Object.entries<ErrorSpec>(ERRORS).map(
    ([code, { disposition, exitCode, summary, action }]) =>
      `| \`${code}\` | ${disposition} | ${exit(disposition, exitCode)} | ${summary} | ${action} |`,
  );
  return page('Errors', [
    'Every failure has a code, and the code decides what happens: **retry** (time can heal it; the same work is tried again with backoff), **park** (this record can never succeed; it is kept as a dead letter with its reason, and others go on), **halt** (nothing can proceed safely; the process stops and confirms nothing more). Exit code 78 means that a restart does not help; an operator must act first.',
    [
      '| Code | Disposition | Exit | What happened | What to do |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
  ]);
}

function exit(disposition: ErrorSpec['disposition'], exitCode: 78 | undefined): string {
  if (disposition === 'park') return '';
  return String(exitCode ?? 1);
}

function metricsPage(): string {
  const sections = Object.entries(METRIC_TABLES).map(
    ([title, table]) => `## ${title}\n\n${metricsMarkdown(table)}`,
  );
  return page('Metrics', [
    "Served at `/metrics` for Prometheus. Seconds and bytes throughout. Node's own series (`process_*`, `nodejs_*`, with `nodejs_eventloop_lag_p99_seconds`) are there too.",
    ...sections,
  ]);
}

function failpointsPage(): string {
  const rows = Object.entries(FAILPOINTS).map(([name, where]) => `| \`${name}\` | ${where} |`);
  return page('Failpoints', [
    'Points in the code at which a test ends, stops or delays a process exactly there. `PGSTREAM_FAILPOINTS=name:action[:hits]`, several separated by commas, in the environment of the process. Actions: `kill` (SIGKILL to itself), `stop` (SIGSTOP to itself; wake it with SIGCONT), `delay=MS` (the whole process stands still, each time), `throw` or `throw=CODE` (an error, with a code such as `ECONNRESET`). All but `delay` act once. With `:hits` so many hits pass first. An unknown name or action is refused with exit code 78.',
    'Unset, as always outside tests, the hook is a constant `undefined`, and a point is one comparison per batch or request; no point lies on the path of a single row.',
    ['| Failpoint | What is true there |', '| --- | --- |', ...rows].join('\n'),
  ]);
}

function page(title: string, parts: readonly string[]): string {
  return `${[`# ${title}`, GENERATED, ...parts].join('\n\n')}\n`;
}
