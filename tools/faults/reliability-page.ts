import { ERRORS, type ErrorSpec } from '@pgstream/failure';
import { crashParts } from '../bench/peers/crash-page.ts';
import type { Fault, FaultGroup } from './fault.ts';
import { FAULTS } from './matrix.ts';
import { soakParts } from '../soak/committed-soak.ts';

const CHECKED: ReadonlyArray<readonly [promise: string, how: string]> = [
  [
    '**A** nothing lost',
    'Each transaction leaves in a table `ledger`, in itself, how many changes it made. Every row of `ledger` must be in the log with as many changes of its transaction, and no transaction may be there that was never committed.',
  ],
  [
    '**B** order per key',
    'Positions grow in each partition; the transactions of a schema stand in their order; rows count their changes in `version`, which must grow by exactly one from record to record.',
  ],
  [
    '**C** tables = index = replay of the log',
    'Every table is compared with its index and with what a second, simple reader makes of the log, row by row, field by field, in both directions.',
  ],
  ['**D** duplicates', 'No position stands twice in a partition: the bound in the log is 0.'],
  [
    '**E** confirmed never past durable',
    'Several times a second the confirmed position of the slot is read, then the ends of the partitions, then the group’s offsets, then the index. What was confirmed must lie below those ends; what the group had passed must be in that index.',
  ],
  [
    '**F** memory, descriptors and disk bounded',
    'Resident size (250 MiB), open descriptors (100) and what was logged (2 MiB), of each process.',
  ],
  [
    '**G** lag back to zero in time',
    'From the end of the fault until everything committed is confirmed and in the index: 60 s unless the fault says otherwise.',
  ],
  [
    '**H** nothing silent',
    'No process ends by itself unless the fault is one that must stop it; then with the expected exit code, error code and remedy. Dead letters are in the store, in the metrics and in the log, in the same number. No metric counts anything as skipped, stale or missing.',
  ],
];

/** What comes from outside, and the tests that feed it generated and collected garbage. */
const HOSTILE: ReadonlyArray<readonly [input: string, promise: string, tests: string]> = [
  [
    'pgoutput frames',
    'a typed error, and the frames in a file for `pgstream replay`',
    'libs/postgres-source/src/pgoutput/decoder.test.ts, recorder/recorder.test.ts',
  ],
  [
    'text of COPY',
    'each row is cut where PostgreSQL cuts it',
    'libs/postgres-source/src/stream/copy-splitter.test.ts',
  ],
  [
    'records of the log',
    'read as written, or a typed error',
    'libs/wal-event/src/record.property.test.ts, record-head.test.ts',
  ],
  [
    'batches and answers of Kafka',
    'read as written, or a typed error',
    'libs/kafka-client/src/protocol/record-batch.test.ts, wire.test.ts',
  ],
  [
    'answers of the search store',
    'only an answer of its API counts; anything else is retried',
    'libs/search-store/src/hostile-answers.test.ts',
  ],
  [
    'values of rows',
    'a field of the right type, or null with a note',
    'libs/search-sink/src/document/convert.property.test.ts, json-text.test.ts',
  ],
  [
    'settings, files and flags',
    'taken or refused by name and line, no secret shown',
    'libs/assembly/src/config/hostile-config.test.ts',
  ],
  [
    'requests to the health server',
    'an answer of 4xx, or the end of the connection',
    'libs/service-runtime/src/health/hostile-requests.test.ts',
  ],
];

const NOT_PROMISED: readonly string[] = [
  '**A search index sees each change at least once.** After a kill, changes are applied again; versions make that a no-op. In the log, nothing stands twice.',
  '**Order across schemas.** Order is promised per row, and whole within a partition.',
  '**Going on past a gap.** Where changes are lost before they reach the product (a slot that was dropped or moved, WAL or log that was removed, a restore), it stops and says what to do; it never goes on by itself.',
  '**Two hands on a slot just after a crash.** A slot that somebody moves forward is noticed to the byte while the producer lives and after an orderly stop. After a kill, a move within what was reserved (about a second of WAL: 64 KiB at least, 16 MiB at most) looks like our own.',
  '**What servers lose.** An acknowledgement of PostgreSQL, Kafka or the search store is taken as its word.',
];

const GROUPS: Readonly<Record<FaultGroup, string>> = {
  control: 'Control',
  network: 'Networks: a proxy of our own between each two parts',
  process: 'Processes',
  postgres: 'PostgreSQL',
  kafka: 'Kafka',
  search: 'Search store',
  clock: 'Clocks',
};

/** `docs/reliability.md`, the parts below its title. */
export function reliabilityParts(): string[] {
  return [
    'What is promised when something fails, how each promise is checked, and every fault that it is checked under. The promises are P1 to P8 of [architecture.md](architecture.md); the checks below hold the whole product to them, as real processes on real servers.',
    `## How to run\n\n\`\`\`sh
npm run faults                          # every fault, three seeds each
npm run faults -- --list                # their names
npm run faults -- kafka pg-slot-dropped # a group, a fault
npm run faults -- --parallel 2           # two at a time, each with servers of its own
npm run faults -- all-kill --seed 4711 --seeds 1 --logs DIR   # one run again, with what the processes logged
npm run soak -- --minutes 60            # a random mix of faults, most of them SIGKILL; memory of processes that live on
\`\`\`\n\nBoth take \`--json FILE\`. The exit code is 0 when every promise was kept, 1 when one was not, 78 for a wrong call. \`npm test\` runs one fault of each kind. A seed repeats the statements of the workload and the choices of the fault; how processes interleave is the machine’s affair, so that a seed that failed may have to be run a few times. What was run is in [reliability-run.md](reliability-run.md).`,
    [
      '## How each promise is checked',
      '',
      'While a fault comes and goes, writers change rows of four schemas in every way: growing versions, values that most updates leave alone, changed keys, deletes, truncates, transactions of one row and of a thousand, of one schema and of two, savepoints, DDL. Then the ledger judges the run by eight checks, and tests of its own feed it runs that are broken in each way.',
      '',
      '| Check | How |',
      '| --- | --- |',
      ...CHECKED.map(([promise, how]) => `| ${promise} | ${how} |`),
    ].join('\n'),
    [
      '## Hostile input',
      '',
      'What comes from outside may be anything. Generated input (fast-check) and a corpus go to each door: nothing crashes, nothing hangs, nothing is taken for what it is not.',
      '',
      '| Input | What must follow | Test |',
      '| --- | --- | --- |',
      ...HOSTILE.map(([input, promise, tests]) => `| ${input} | ${promise} | ${tests} |`),
    ].join('\n'),
    ...soakParts(),
    ...crashParts(),
    ['## What is not promised', '', ...NOT_PROMISED.map((text) => `- ${text}`)].join('\n'),
    '## The faults',
    ...Object.entries(GROUPS).map(([group, title]) =>
      table(
        title,
        FAULTS.filter((fault) => fault.group === group),
      ),
    ),
  ];
}

function table(title: string, faults: readonly Fault[]): string {
  const rows = faults.map(
    ({ name, summary, expects }) => `| \`${name}\` | ${summary} | ${expected(expects)} |`,
  );
  return [
    `### ${title}`,
    '',
    '| Fault | What happens | What must follow |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function expected(expects: Fault['expects']): string {
  if (expects.kind === 'resumes') {
    if (expects.parks === true) return 'resumes; what cannot be delivered is a dead letter';
    if (expects.reports !== undefined)
      return `resumes; the table is reported (${expects.reports.counter}) until it is read again`;
    return expects.restarts === true ? 'resumes; the one that gave way may end with 1' : 'resumes';
  }
  const { [expects.code]: spec }: Readonly<Record<string, ErrorSpec>> = ERRORS;
  return `stops with ${expects.exitCode}, \`${expects.code}\`: ${spec?.action ?? ''}`;
}
