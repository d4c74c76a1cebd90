import type { Check } from '../../product/screen.ts';
import { committedRun, type RunFacts } from '../committed-run.ts';
import { table } from '../markdown.ts';
import type { CrashResult } from './crash-drain.ts';

/** What `npm run bench -- crash --json FILE` writes. */
export interface CommittedCrash extends RunFacts {
  readonly rows: number;
  readonly kills: number;
  readonly checks: readonly Check[];
  readonly results: readonly CrashResult[];
  readonly broken: readonly string[];
}

const HOW = `## Killed beside others

\`\`\`sh
npm run bench -- crash                        # Debezium and pgstream, a million rows, two kills each
npm run bench -- crash --kills 4 --only pgstream
npm run bench -- crash --rows 100000 --json FILE
\`\`\`

One command starts PostgreSQL and Kafka and writes two loads: rows that are inserted and then updated, a hundred to a transaction, and a fifth as many in transactions of one row. Every system drains the same WAL from a copy of the same slot into a topic of its own, is killed with SIGKILL at the same sizes of its log (with two kills at 25 and 60 % of the rows) and started again at once. Then each log is read back and counted by key and version: rows that are missing, records that carry a row again, and rows that come for the first time behind a newer state of their key. The exit code is 0 when pgstream has none of each, was killed before its end each time, and every system ran to the end; 1 otherwise, 78 for a wrong call.

Debezium 3.6.1 runs in Kafka Connect 4.3.1, both from their published jars, with large batches and its offsets stored every ten seconds (\`tools/bench/peers/debezium/settings.ts\`). The Go pgstream takes part when \`PGSTREAM_GO_BIN\` names its binary and \`PGSTREAM_GO_WAL2JSON_DIR\` a folder with a \`wal2json.so\` for PostgreSQL 17.`;

/** The section of `docs/reliability.md`: how to run it, and the committed run. */
export function crashParts(): string[] {
  const run = committedRun('crash');
  if (run === undefined) return [HOW, 'No run is committed.'];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the figures that this command writes
  return [HOW, ...figures(run as CommittedCrash)];
}

function figures({ measuredOn, kills, results, broken, machine }: CommittedCrash): string[] {
  const rows = results.map(({ system, load, rows: written, killedAt, seconds, ended, ...found }) => {
    const places = killedAt.map((size) => `${Math.round((size / written) * 100)} %`).join(', ');
    const counts = [written, found.lost, found.duplicates, found.misordered];
    const texts = counts.map((count) => count.toLocaleString('en-US'));
    return [system, load, ...texts, places, ended ? seconds.toFixed(0) : 'not ended'];
  });
  return [
    `The last committed run, ${measuredOn}, ${kills} kills, ${machine.cores} cores; what it counts is the point, the times are of a machine that had other work:`,
    table(
      [
        'System',
        'Load',
        'Rows',
        'Lost',
        'Duplicates',
        'Out of order',
        'Log at each kill',
        'Seconds with restarts',
      ],
      rows,
    ),
    ...(broken.length === 0 ? [] : [`Could not be run: ${broken.join('; ')}.`]),
  ];
}
