import type { Check } from '../../product/screen.ts';
import { committedRun, type RunFacts } from '../committed-run.ts';
import { checkTable, table } from '../markdown.ts';
import { NOISY } from './compare-checks.ts';
import type { Drained } from './compare-drain.ts';
import { comparisonTables, limits, LIMITS_HEAD } from './compare-table.ts';

/** What `npm run bench -- peers --json FILE` writes. */
export interface CommittedComparison extends RunFacts {
  readonly rows: number;
  readonly rounds: number;
  readonly checks: readonly Check[];
  readonly drains: readonly Drained[];
  readonly broken: readonly string[];
}

const HOW = `## Beside others

\`\`\`sh
npm run bench -- peers                                # five kinds of WAL, four rounds
npm run bench -- peers --load narrow --rows 200000 --rounds 2
npm run bench -- peers --peer "mine=/usr/bin/mine --fast" --json docs/performance/peers.json
\`\`\`

One command starts PostgreSQL and Kafka, writes each kind of WAL once and lets every system drain it from a copy of the same slot into a topic of one partition: the reference reader (and pg_recvlogical where \`PG_BIN\` names its folder), pgstream with its default settings and without compression, Debezium 3.6.1 in Kafka Connect 4.3.1 tuned and with its default settings (\`tools/bench/peers/debezium/settings.ts\`), the Go pgstream where \`PGSTREAM_GO_BIN\` names its binary and \`PGSTREAM_GO_WAL2JSON_DIR\` a folder with a \`wal2json.so\` for PostgreSQL 17, and what \`--peer NAME=COMMAND\` names: a command of the shell that finds its place in \`PEER_POSTGRES_URL\`, \`PEER_SLOT\` (of pgoutput), \`PEER_PUBLICATION\`, \`PEER_TABLE\`, \`PEER_BROKER\` and \`PEER_TOPIC\`, writes a record per row and ends on SIGTERM. Beside them stands Kafka’s own performance tool, which reads nothing and sends as many records of the size of ours uncompressed.

Rates are by the broker's clock, from the append of the first batch to that of the last, so that no start-up is in them. The order turns round from round to round; a round in front, of pgstream and the reference, warms the servers up. CPU is the operating system's: of the system's processes, of PostgreSQL with its walsender, and of the broker. A round in which processes that have no part in it used more than ${NOISY * 100} % of the machine is marked noisy, and medians leave it out unless all are.`;

/** The section of `docs/performance.md`: how to run it, and the committed run. */
export function peersParts(): string[] {
  const run = committedRun('peers');
  if (run === undefined) return [HOW, 'No run is committed.'];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the figures that this command writes
  return [HOW, ...figures(run as CommittedComparison)];
}

function figures({ measuredOn, rounds, checks, drains, broken, machine }: CommittedComparison): string[] {
  return [
    `Measured on ${measuredOn}, ${rounds} rounds, ${machine.cores} cores (${machine.cpu ?? 'unknown CPU'}), ${machine.memoryGb} GB, Node ${machine.node}:`,
    ...comparisonTables(drains).map(({ load, head, rows }) => table([load, ...head], rows)),
    checkTable(checks),
    '**What bounds it.** A slot is sent by one process, the walsender, and so by one core. What PostgreSQL takes for a row while pgstream drains is what no consumer can be faster than; the rest of the machine is what PostgreSQL, the broker and pgstream share. Where all of its cores are in use, nothing is left to be faster with:',
    table(LIMITS_HEAD, limits(drains)),
    ...(broken.length === 0 ? [] : [`Could not be run: ${broken.join('; ')}.`]),
  ];
}
