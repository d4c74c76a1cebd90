import { measuredSentence, type RunFacts } from '../committed-run.ts';
import { checkTable, table, thousands } from '../markdown.ts';
import { linePlot, ticksFromZero } from '../plots/line-plot.ts';
import { NOISY_CORES } from '../quiet-rounds.ts';
import { FLAT_WITHIN, steepness, type ScalePoint } from './flatness.ts';
import type { Curves, ScaleFigures } from './scale.ts';

type Run = ScaleFigures & RunFacts;

const WHAT: Readonly<Record<keyof Curves, string>> = {
  rows: 'rows of the backlog',
  tables: 'tables',
  partitions: 'partitions',
};

const METHOD = `Every point is a slot of its own with narrow rows behind it, a hundred to a transaction; a producer with default settings drains 200,000 rows first, which
touch every table, and only what follows counts. CPU is the operating system's for the whole process; how far it is, the broker is asked, which costs the producer
nothing. Backlogs below a million rows are too short to be measured one by one: they are written while the producer is stopped (SIGSTOP), and up to fifty of them are
drained one after the other. Of three rounds the median stands; of ten million rows there is one. A round in which others had more than ${NOISY_CORES} cores is noisy and left out,
and another one made for it, up to twice as many as are wanted. Tables share one schema and one partition; for the partitions
the rows go in turn into 96 schemas, which are the keys. A curve counts as flat when a row costs at most ${FLAT_WITHIN} times as much at its dearest point as at its
cheapest: two runs of one point differ by up to a seventh.`;

/** @throws {Error} for a run that was made to try the bench out */
export function scaleSection(run: Run): string[] {
  if (run.isQuick) throw new Error('docs/performance/scale.json is a --quick run, whose figures say nothing');
  const { curves, transaction, manyTables } = run;
  return [
    '## Scale',
    `${measuredSentence(run, 'scale')} Noise: ${run.noiseCores.toFixed(2)} cores.`,
    checkTable(run.checks),
    ...curveNames(curves).flatMap((name) => curveParts(name, curves[name])),
    `**One transaction of ${thousands(transaction.of)} rows**: the server gathers it for ${transaction.waitS.toFixed(1)} s; from its first row on ${thousands(transaction.rowsPerS)} rows/s, where as many rows in small transactions take ${thousands(transaction.smallRowsPerS)} rows/s; ${transaction.cpuUsPerRow.toFixed(2)} µs of CPU a row, peak RSS ${transaction.peakRssMb.toFixed(0)} MB.`,
    `**${thousands(manyTables.tables)} tables in ${thousands(manyTables.schemas)} schemas**: ready ${manyTables.readyS.toFixed(1)} s after the start of the process, the first record in the topic after ${manyTables.startS.toFixed(1)} s, peak RSS ${manyTables.peakRssMb.toFixed(0)} MB when each table has had rows. \`pgstream init\` took ${manyTables.initS.toFixed(1)} s.`,
    METHOD,
  ];
}

/** Plots by their file name below `docs/`. */
export function scalePlots({ curves }: Run): Array<[string, string]> {
  return curveNames(curves).map((name) => [`performance/scale-${name}.svg`, curvePlot(name, curves[name])]);
}

function curveNames(curves: Curves): Array<keyof Curves> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its own keys
  return Object.keys(curves) as Array<keyof Curves>;
}

function curveParts(name: keyof Curves, points: readonly ScalePoint[]): string[] {
  return [
    table(
      [capital(WHAT[name]), 'CPU µs/row', 'Rows/s', 'Peak RSS MB', 'Noisy rounds'],
      points.map((point) => [
        thousands(point.of),
        point.cpuUsPerRow.toFixed(2),
        thousands(point.rowsPerS),
        point.peakRssMb.toFixed(0),
        point.made === undefined ? '–' : `${point.noisy} of ${point.made}`,
      ]),
    ),
    `Dearest over cheapest: ${steepness(points).toFixed(2)}.${name === 'rows' ? toBegin(points) : ''}`,
    `![CPU per row over ${WHAT[name]}](performance/scale-${name}.svg)`,
  ];
}

/** What the shortest backlog pays once, and a longer one spreads over more rows. */
function toBegin([shortest, ...longer]: readonly ScalePoint[]): string {
  if (shortest === undefined || longer.length === 0) return '';
  const cheapest = Math.min(...longer.map(({ cpuUsPerRow }) => cpuUsPerRow));
  const ms = ((shortest.cpuUsPerRow - cheapest) * shortest.of) / 1000;
  return ` A backlog of ${thousands(shortest.of)} rows takes ${ms.toFixed(1)} ms of CPU more than as many rows of a long one: what it costs to begin, once. From ${thousands(longer[0]?.of ?? 0)} rows on the dearest costs ${steepness(longer).toFixed(2)} times the cheapest.`;
}

function curvePlot(name: keyof Curves, points: readonly ScalePoint[]): string {
  const costs = points.map(({ cpuUsPerRow }) => cpuUsPerRow);
  const cheapest = Math.min(...costs);
  return linePlot({
    title: `CPU of the producer per row over ${WHAT[name]}`,
    x: {
      name: WHAT[name],
      scale: 'log',
      ticks: points.map(({ of }) => ({ at: of, label: thousands(of) })),
    },
    // from 0 on: a curve that is flat should look flat
    y: { name: 'µs', scale: 'linear', ticks: ticksFromZero([...costs, cheapest * FLAT_WITHIN]) },
    series: [{ name: 'µs a row', points: points.map(({ of, cpuUsPerRow }) => [of, cpuUsPerRow] as const) }],
    limit: { at: cheapest * FLAT_WITHIN, name: `${FLAT_WITHIN} times the cheapest` },
  });
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
