import { measuredSentence, type RunFacts } from '../committed-run.ts';
import { checkTable, table, thousands } from '../markdown.ts';
import { linePlot, powersOfTen } from '../plots/line-plot.ts';
import type { LatencyFigures } from './latency.ts';
import { PLOTTED_PERCENTILES } from './percentiles.ts';

type Run = LatencyFigures & RunFacts;

const METHOD = `Single-row commits at a steady rate into one table, its topic of one partition, default settings. The commit's time is when the writing client
has read the server's answer to it; its arrival is when a consumer of the topic, which holds a fetch open, has the bytes in its hand. Writer and consumer are
two processes on one machine and read one clock, CLOCK_MONOTONIC. The writer follows the clock and not the answers: up to four commits
are under way, and one that is slow delays none that is due. A record that is read before its writer heard of the commit counts as 0. Half a million rows in small
transactions and a quarter of a minute at the same rate go before what is counted. Debezium is measured after the product in the same way, with the settings of \`tools/bench/peers/debezium/settings.ts\`. Noise is the CPU that neither servers nor product nor bench used.`;

/** The section of the page: what was measured, and how. */
export function latencySection(run: Run): string[] {
  const { rates, recovery } = run;
  const back =
    recovery.recoveryMs === null ? 'never in the time watched' : `${thousands(recovery.recoveryMs)} ms`;
  return [
    '## Commit to Kafka',
    measuredSentence(run, 'latency'),
    checkTable(run.checks),
    table(
      ['System', 'Commits/s', 'Commits', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'Noise, cores'],
      rates.map((rate) => [
        rate.system,
        `${rate.commitsPerS} (${rate.reachedPerS.toFixed(0)} reached)`,
        thousands(rate.commits),
        ...[rate.p50Ms, rate.p90Ms, rate.p99Ms, rate.p999Ms, rate.maxMs].map((ms) => ms.toFixed(1)),
        rate.noiseCores.toFixed(2),
      ]),
    ),
    '![Percentiles of the time from commit to Kafka](performance/latency-percentiles.svg)',
    METHOD,
    `**Beside a large transaction**: while ${recovery.commitsPerS} small commits per second go on, another schema commits ${thousands(recovery.bulkRows)} rows at once, which are in the topic ${recovery.bulkSeconds.toFixed(1)} s later. PostgreSQL sends transactions whole and in the order of their commits, so small ones wait behind it. From its last row until fifty commits in a row, nineteen of twenty of them, take at most ${recovery.limitMs.toFixed(1)} ms again: ${back}.`,
    '![Small commits around a large transaction](performance/latency-recovery.svg)',
  ];
}

/** Plots by their file name below `docs/`. */
export function latencyPlots({ rates, recovery }: Run): Array<[string, string]> {
  return [
    ['performance/latency-percentiles.svg', percentilePlot(rates)],
    ['performance/latency-recovery.svg', recoveryPlot(recovery)],
  ];
}

function percentilePlot(rates: Run['rates']): string {
  return linePlot({
    title: 'Commit to Kafka',
    // the tail is what matters: percentiles at equal distances, not at their own
    x: {
      name: 'percentile',
      scale: 'linear',
      ticks: PLOTTED_PERCENTILES.map((percentile, at) => ({ at, label: String(percentile) })),
    },
    y: { name: 'milliseconds', scale: 'log', ticks: powersOfTen(rates.flatMap(({ curveMs }) => curveMs)) },
    series: rates.map(({ system, commitsPerS, curveMs }) => ({
      name: `${system}, ${commitsPerS}/s`,
      points: curveMs.map((ms, i) => [i, ms] as const),
    })),
    limit: { at: 10, name: 'target of p99' },
  });
}

function recoveryPlot({ timeline, limitMs, bulkRows }: Run['recovery']): string {
  const seconds = timeline.map(({ atS }) => atS);
  const [from, to] = [Math.floor(Math.min(...seconds)), Math.ceil(Math.max(...seconds))];
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => ({ at: from + i, label: String(from + i) }));
  return linePlot({
    title: `Slowest small commit of each tenth of a second around a transaction of ${thousands(bulkRows)} rows`,
    x: {
      name: 'second of the commit, 0 where the last row of the large one arrived',
      scale: 'linear',
      ticks,
    },
    y: { name: 'milliseconds', scale: 'log', ticks: powersOfTen(timeline.map(({ worstMs }) => worstMs)) },
    series: [{ name: 'slowest', points: timeline.map(({ atS, worstMs }) => [atS, worstMs] as const) }],
    limit: { at: limitMs, name: 'as fast as before' },
  });
}
