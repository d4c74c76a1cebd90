import { committedRun, measuredSentence, type RunFacts } from './committed-run.ts';
import { latencyPlots, latencySection } from './latency/latency-page.ts';
import type { LatencyFigures } from './latency/latency.ts';
import type { Freshness } from './commit-to-search.ts';
import type { Indexing } from './kafka-to-search.ts';
import type { Figures } from './main-path.ts';
import type { Drain } from './slot-to-kafka.ts';
import { checkTable, table, thousands } from './markdown.ts';
import { peersParts } from './peers/compare-page.ts';
import { median } from './processes.ts';
import { isQuiet, NOISY_CORES, quietOf, type InRound } from './quiet-rounds.ts';
import { scalePlots, scaleSection } from './scale/scale-page.ts';
import type { ScaleFigures } from './scale/scale.ts';
import type { WebhookFigures } from './webhooks/webhooks-command.ts';
import { webhooksSection } from './webhooks/webhooks-page.ts';

/** What `npm run bench -- main-path --json FILE` writes. */
export type MeasuredRun = Figures & RunFacts;

const METHOD = `## Method

One command starts PostgreSQL 17, Kafka and OpenSearch on the machine, and every figure stands beside a reference of the same run: machines differ, and
the same machine differs from hour to hour, so ratios are what can be compared: the median of the rounds'. Settings are the defaults; the topic has one
partition. A round in which others, the other guests of the host included, had more than ${NOISY_CORES} cores is noisy, marked, and left out where there are quiet ones; another one is
made for it, up to twice as many as are wanted. Servers are warm before anything is counted: a fresh JVM takes up to twice the CPU for a minute.

- **Slot to Kafka**: 1,200,000 rows of five columns, a hundred to a transaction, written before. The reference reader is an eager
  Node process that reads the slot and decodes nothing. Both read the same WAL in turn, A B B A; one round more, the first, is not counted.
  Start-up and the first sixth, in which a new process compiles its code, are excluded for both. CPU and peak memory are the operating system's for the producer's process.
- **Kafka to search**: 400,000 rows of about 505 bytes, one worker, into a fresh index; the first quarter is not counted. The reference is a loop that sends the same documents
  with \`_bulk\`, 5,000 at a time and two at a time, into an index of the same mapping, from bodies made beforehand.
- **One worker and two**: the same rows in four partitions, in a store that never is the limit: it reads bulks, counts them and answers after so many
  microseconds for each of their documents, as many at once as come (\`tools/bench/workers/null-index.ts\`). At 100 µs a worker waits for the store and two should do
  twice as much; at 0 the cores of the machine are the limit, which the workers share with the store and the broker, and nothing is asked for.
- **Commit to \`_search\`**: single-row commits at 100 per second into one table, then into twenty that take turns, each with an index of its own; a searcher asks
  every few milliseconds for the rows that it has not seen, of the indices that they belong to, and each row counts when it is found itself. Three windows of 1,500 commits each, after such windows until two are no faster than those before by a twentieth (six at most): a JVM that meets twenty indices compiles for a minute; the median window is what is checked. The
  search server's cores are what refreshing costs, with the bulks and the searcher's own requests.

What a row allocates is counted, not timed, by \`npm run bench -- micro\`; \`npm test\` fails when a stage allocates a tenth more than it did.`;

/** `docs/performance.md` below its title: the committed runs. */
export function performanceParts(): string[] {
  const { mainPath: run, latency, scale, webhooks } = committedRuns();
  return [
    ...(run === undefined ? ['No run is committed.'] : mainPathParts(run)),
    METHOD,
    ...(latency === undefined ? [] : latencySection(latency)),
    ...(scale === undefined ? [] : scaleSection(scale)),
    ...peersParts(),
    ...(webhooks === undefined ? [] : webhooksSection(webhooks)),
  ];
}

/** What the page shows, by file name below `docs/`. */
export function performancePlots(): Array<[string, string]> {
  const { latency, scale } = committedRuns();
  return [
    ...(latency === undefined ? [] : latencyPlots(latency)),
    ...(scale === undefined ? [] : scalePlots(scale)),
  ];
}

interface CommittedRuns {
  readonly mainPath: MeasuredRun | undefined;
  readonly latency: (LatencyFigures & RunFacts) | undefined;
  readonly scale: (ScaleFigures & RunFacts) | undefined;
  readonly webhooks: (WebhookFigures & RunFacts) | undefined;
}

function committedRuns(): CommittedRuns {
  const names = ['main-path', 'latency', 'scale', 'webhooks'];
  const [mainPath, latency, scale, webhooks] = names.map(committedRun);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the figures that each command writes
  return { mainPath, latency, scale, webhooks } as CommittedRuns;
}

function mainPathParts(run: MeasuredRun): string[] {
  return [
    `${measuredSentence(run, 'main-path')} \`npm run docs\` prints this page from that file.`,
    checkTable(run.checks),
    ...drains(run),
    ...indexing(run),
    ...workers(run),
    ...freshness(run),
  ];
}

function drains({ drains: all, machine }: MeasuredRun): string[] {
  const rows = all.map((one) => [
    one.system,
    thousands(one.rowsPerS),
    ...[one.cpuUsPerRow, one.postgresUsPerRow, one.brokerUsPerRow].map(figure),
    typeof one.peakRssMb === 'number' ? one.peakRssMb.toFixed(0) : '–',
    noise(one),
  ]);
  const head = [
    'In the order measured',
    'Rows/s',
    'CPU µs/row',
    'PostgreSQL',
    'broker',
    'Peak RSS MB',
    'Noise, cores',
  ];
  return [
    '## Slot to Kafka',
    bars('Rows per second, median', all, ({ rowsPerS }) => rowsPerS),
    table(head, rows),
    ...drainBound(all, machine.cores),
  ];
}

/** What one walsender can send, beside what the reference takes from it. */
function drainBound(all: MeasuredRun['drains'], machineCores: number): string[] {
  const [ours, reference] = [true, false].map((isOurs) =>
    quietOf(all).filter(({ system }) => (system === 'pgstream') === isOurs),
  );
  const of = (figureOf: (one: Drain) => number) => median((ours ?? []).map(figureOf));
  const postgresUs = of((one) => one.postgresUsPerRow);
  if (!Number.isFinite(postgresUs)) return [];
  const most = 1e6 / postgresUs;
  const others = of((one) => one.cpuUsPerRow + one.brokerUsPerRow);
  const cores = (of((one) => one.rowsPerS) * (postgresUs + others)) / 1e6;
  const against = most / median((reference ?? []).map(({ rowsPerS }) => rowsPerS));
  const atBest = (against * postgresUs * machineCores) / (postgresUs + others);
  return [
    `**What bounds it.** A slot is sent by one process, the walsender, and so by one core: it takes ${postgresUs.toFixed(2)} µs for a row while pgstream drains, and so sends at most ${thousands(most)} rows/s, ${against.toFixed(2)} times the reference reader's rate, to whoever reads. pgstream and broker take ${others.toFixed(2)} µs more; ${cores.toFixed(2)} of ${machineCores} cores are in use. Were all of them busy all the time it would be ${atBest.toFixed(2)} times the reference reader's rate.`,
  ];
}

const cpuFigures = (one: Indexing) => [one.cpuUsPerDoc, one.searchUsPerDoc, one.brokerUsPerDoc];

function indexing({ indexing: all }: MeasuredRun): string[] {
  const rows = all.map((one) => [
    one.system,
    thousands(one.docsPerS),
    ...cpuFigures(one).map(figure),
    figure((cpuFigures(one).reduce((sum, us) => sum + us, 0) * one.docsPerS) / 1e6),
    noise(one),
  ]);
  return [
    '## Kafka to search',
    bars('Documents per second, median', all, ({ docsPerS }) => docsPerS),
    table(
      [
        'In the order measured',
        'Documents/s',
        'CPU µs/document',
        'search server',
        'broker',
        'cores in use',
        'Noise, cores',
      ],
      rows,
    ),
    ...indexingBound(all),
  ];
}

/** What the share of the loop can be where the store, the worker and the broker have the same cores. */
function indexingBound(all: MeasuredRun['indexing']): string[] {
  const of = (isOurs: boolean, figureOf: (one: Indexing) => number) =>
    median(
      quietOf(all)
        .filter(({ system }) => (system === 'pgstream') === isOurs)
        .map(figureOf),
    );
  const loopUs = of(false, (one) => one.searchUsPerDoc + one.cpuUsPerDoc);
  const beside = of(true, (one) => one.cpuUsPerDoc + one.brokerUsPerDoc);
  if (!Number.isFinite(loopUs + beside)) return [];
  const bound = loopUs / (of(false, (one) => one.searchUsPerDoc) + beside);
  const cores = of(false, (one) => ((one.searchUsPerDoc + one.cpuUsPerDoc) * one.docsPerS) / 1e6);
  return [
    `**What bounds it.** The loop and the store take ${loopUs.toFixed(1)} µs of CPU for a document, and so ${cores.toFixed(2)} cores. Worker and broker take ${beside.toFixed(1)} µs of the same cores: were all of them busy all the time, ${(bound * 100).toFixed(0)} % of the loop's rate would be left.`,
  ];
}

function workers({ workers: all }: MeasuredRun): string[] {
  const rows = all.map((one) => [
    String(one.workers),
    String(one.storeUsPerDoc),
    thousands(one.docsPerS),
    one.cpuUsPerDoc.toFixed(2),
    noise(one),
  ]);
  const head = ['Workers', 'Store, µs/document', 'Documents/s', 'CPU µs/document', 'Noise, cores'];
  return ['## One worker and two', table(head, rows)];
}

function freshness({ freshness: windows }: MeasuredRun): string[] {
  const rows = windows.map(({ indices, searchCores, refreshesPerS, refreshMs, ...window }) => [
    String(indices),
    ...[window.p50Ms, window.p90Ms, window.p99Ms, window.maxMs].map((ms) => ms.toFixed(1)),
    ...[searchCores, refreshesPerS, refreshMs].map(figure),
    noise(window),
  ]);
  const latencies = ['p50 ms', 'p90 ms', 'p99 ms', 'max ms'];
  const head = [
    'Indices',
    ...latencies,
    'Cores of the search server',
    'Refreshes/s',
    'ms each',
    'Noise, cores',
  ];
  return ['## Commit to `_search`, 100 commits per second', table(head, rows), ...freshnessBound(windows)];
}

/** What it would take to show each commit by itself, where each is in another index than the one before. */
function freshnessBound(windows: readonly Freshness[]): string[] {
  const many = quietOf(
    windows.filter(({ indices, refreshesPerS }) => indices > 1 && Number.isFinite(refreshesPerS)),
  );
  if (many.length === 0) return [];
  const coreMs = median(many.map(({ searchCores, refreshesPerS }) => (searchCores / refreshesPerS) * 1000));
  return [
    `**What bounds it.** A refresh costs the store much the same however few documents it shows, and shows those of one index. With twenty indices that take turns each commit needs one of its own: the store spends ${coreMs.toFixed(1)} ms of CPU for each, bulks and searches of the measurement included, so 100 a second would be ${(coreMs / 10).toFixed(1)} cores beside PostgreSQL, Kafka, producer and indexer on the same machine. What waits meanwhile shares the next one.`,
  ];
}

/** Runs that were measured before a figure was taken have none. */
function figure(value: number | null | undefined): string {
  return typeof value !== 'number' || Number.isNaN(value) ? '–' : value.toFixed(2);
}

/** Of its round; runs from before it was looked at have none. */
function noise({ noiseCores }: Partial<InRound>): string {
  if (noiseCores === undefined) return '–';
  return `${noiseCores.toFixed(2)}${isQuiet({ noiseCores }) ? '' : ', noisy'}`;
}

function bars<T extends InRound & { readonly system: string }>(
  title: string,
  all: readonly T[],
  figureOf: (one: T) => number,
): string {
  const systems = [...new Set(all.map(({ system }) => system))];
  const counted = quietOf(all);
  const medians = systems.map((system) =>
    median(counted.filter((one) => one.system === system).map(figureOf)),
  );
  const names = systems.map((system) => JSON.stringify(system)).join(', ');
  const values = medians.map((value) => Math.round(value)).join(', ');
  const chart = [`    title ${JSON.stringify(title)}`, `    x-axis [${names}]`, `    bar [${values}]`];
  return ['```mermaid', 'xychart-beta horizontal', ...chart, '```'].join('\n');
}
