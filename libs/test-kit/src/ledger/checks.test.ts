import { parseLsn, type ChangeRecord, type RecordColumn } from '@pgstream/wal-event';
import { judge, type CheckLetter } from './checks.ts';
import type { Evidence } from './evidence.ts';
import type { LogEntry } from './log.ts';

/** The oracle must itself see what is wrong: each test breaks a good run in one way. */
const LSN = (n: number) => parseLsn(`0/${n.toString(16)}`);

function column(attnum: number, name: string, value: number): RecordColumn {
  return { id: `t-${attnum}`, name, type: 'bigint', value: { raw: String(value) } };
}

interface At {
  readonly commit: number;
  readonly seq: number;
  readonly offset: number;
}

function entry(table: string, at: At, change: Partial<ChangeRecord>): LogEntry {
  const record: ChangeRecord = {
    action: 'I',
    timestamp: '',
    position: { commitLsn: LSN(at.commit), seq: at.seq, sub: 1 },
    epoch: 1,
    xid: at.commit,
    lsn: LSN(at.commit),
    schema: 's',
    table,
    tableId: table,
    keyColumnIds: ['t-1'],
    columns: null,
    identity: null,
    unchanged: [],
    snapshot: false,
    ...change,
  };
  return { partition: 0, offset: BigInt(at.offset), record };
}

const item = (id: number, version: number) => [column(1, 'id', id), column(2, 'version', version)];
const counted = (n: number, changes: number) => [column(1, 'n', n), column(2, 'changes', changes)];

/** Transaction 1 inserts a row, transaction 2 updates and deletes it. */
const LOG: readonly LogEntry[] = [
  entry('items', { commit: 16, seq: 1, offset: 0 }, { columns: item(7, 1) }),
  entry('ledger', { commit: 16, seq: 2, offset: 1 }, { columns: counted(1, 1) }),
  entry('items', { commit: 32, seq: 1, offset: 2 }, { action: 'U', columns: item(7, 2) }),
  entry('items', { commit: 32, seq: 2, offset: 3 }, { action: 'D', identity: [column(1, 'id', 7)] }),
  entry('ledger', { commit: 32, seq: 3, offset: 4 }, { columns: counted(2, 2) }),
];

const GOOD: Evidence = {
  extent: 'all',
  committed: new Map([
    [
      's',
      new Map([
        [1, 1],
        [2, 2],
      ]),
    ],
  ]),
  acknowledged: [
    { schema: 's', n: 1, changes: 1, walAfter: LSN(24) },
    { schema: 's', n: 2, changes: 2, walAfter: LSN(40) },
  ],
  log: LOG,
  parked: [],
  differences: [],
  progress: [
    {
      confirmed: LSN(24),
      ends: new Map([[0, 2n]]),
      offsets: new Map([[0, 2n]]),
      indexed: new Map([['s', new Set([1])]]),
    },
  ],
  resources: [{ name: 'producer', what: 'memory', value: 100, bound: 250, unit: 'MiB' }],
  catchUp: { ms: 900, boundMs: 60_000 },
  visible: {
    exits: [],
    expectedExit: null,
    counters: new Map([['parked', 0]]),
    expectedCounter: null,
    letters: 0,
    lettersLogged: 0,
    expectsLetters: false,
  },
};

/** The letters of the checks that were violated. */
function violated(change: Partial<Evidence>): CheckLetter[] {
  const findings = judge({ ...GOOD, ...change });
  return findings.filter(({ violations }) => violations.length > 0).map(({ check }) => check);
}

const swapped = (a: number, b: number) => {
  const log = [...LOG];
  [log[a], log[b]] = [log[b]!, log[a]!];
  return log;
};

const visible = (change: Partial<Evidence['visible']>) =>
  violated({ visible: { ...GOOD.visible, ...change } });

const staleTables = (stale: number) => ({
  counters: new Map([['stale tables', stale]]),
  expectedCounter: 'stale tables',
});

const without = (...indexes: readonly number[]) => LOG.filter((_, i) => !indexes.includes(i));

test('a good run violates nothing', () => {
  expect(violated({})).toEqual([]);
  expect(
    violated({ log: null, progress: [{ ...sample({}), indexed: new Map([['s', new Set([1, 2])]]) }] }),
  ).toEqual([]);
});

function sample(change: Partial<Evidence['progress'][number]>): Evidence['progress'][number] {
  const [first] = GOOD.progress;
  if (first === undefined) throw new Error('there is a sample');
  return { ...first, ...change };
}

describe('A: nothing lost', () => {
  test.each([
    ['a transaction that is not in the log', without(2, 3, 4)],
    ['a change of a transaction that is in the log', without(3)],
  ])('%s', (_name, log) => expect(violated({ log })).toContain('A'));

  test('a transaction in the log that was never committed', () => {
    expect(violated({ committed: new Map([['s', new Map([[1, 1]])]]) })).toEqual(['A']);
  });

  test('after a stop the end may be missing, and nothing before it', () => {
    expect(violated({ log: without(2, 3, 4), extent: 'until-stopped' })).toEqual([]);
    expect(violated({ log: without(0, 1), extent: 'until-stopped' })).toContain('A');
  });

  test('without a log: a transaction that is not in the index', () => {
    expect(violated({ log: null, progress: [sample({ confirmed: null })] })).toEqual(['A']);
  });

  test('a change that was parked is accounted for', () => {
    const parked = [{ commitLsn: LSN(32), seq: 2, sub: 1 as const }];
    expect(violated({ log: without(3), parked })).toEqual([]);
  });
});

describe('B: order per key', () => {
  test('records behind one of a later position', () =>
    expect(violated({ log: swapped(2, 3) })).toContain('B'));

  test('a version that skips one, although positions grow', () => {
    const jump = entry('items', { commit: 32, seq: 1, offset: 2 }, { action: 'U', columns: item(7, 3) });
    expect(violated({ log: LOG.map((one, i) => (i === 2 ? jump : one)) })).toEqual(['B']);
  });

  test('transactions of a schema out of turn', () => {
    const log = LOG.map((one, i) => {
      const { commit = 0, n = 0 } = i === 1 ? { commit: 16, n: 2 } : i === 4 ? { commit: 32, n: 1 } : {};
      if (n === 0) return one;
      return {
        ...one,
        record: {
          ...one.record,
          position: { ...one.record.position, commitLsn: LSN(commit) },
          columns: counted(n, i === 1 ? 1 : 2),
        },
      };
    });
    expect(violated({ log })).toContain('B');
  });
});

test('C: a field that differs', () => {
  expect(violated({ differences: ['index s.items: id=7.version: table 2, index 1'] })).toEqual(['C']);
});

test('D: a record that stands twice', () => {
  const again = { ...LOG[4]!, offset: 5n };
  expect(violated({ log: [...LOG, again] })).toContain('D');
});

describe('E: confirmed never past durable', () => {
  test('a position is confirmed before its record is in the log', () => {
    expect(violated({ progress: [sample({ ends: new Map([[0, 1n]]) })] })).toEqual(['E']);
  });

  test('a transaction is confirmed that never comes into the log', () => {
    const progress = [sample({ confirmed: LSN(48), ends: null, indexed: null })];
    expect(violated({ progress, log: without(2, 3, 4), extent: 'until-stopped' })).toEqual(['E']);
  });

  test('an offset is committed before its entry is in the index', () => {
    expect(violated({ progress: [sample({ offsets: new Map([[0, 5n]]) })] })).toEqual(['E']);
  });

  test('without a log: a position is confirmed before its entry is in the index', () => {
    const indexed = new Map([['s', new Set([1, 2])]]);
    const progress = [sample({ indexed: new Map() }), sample({ indexed })];
    expect(violated({ log: null, progress })).toEqual(['E']);
  });
});

test('F: a figure above its bound, and one that could not be taken', () => {
  const figure = { name: 'producer', what: 'descriptors', bound: 100, unit: 'open' } as const;
  expect(violated({ resources: [{ ...figure, value: 101 }] })).toEqual(['F']);
  expect(violated({ resources: [{ ...figure, value: Number.NaN }] })).toEqual(['F']);
});

test('G: late, and never', () => {
  expect(violated({ catchUp: { ms: 61_000, boundMs: 60_000 } })).toEqual(['G']);
  expect(violated({ catchUp: { ms: null, boundMs: 60_000 } })).toEqual(['G']);
});

describe('H: nothing silent', () => {
  const stop = { code: 'PG_SLOT_MISSING', exitCode: 78 };
  const exit = { name: 'producer', exitCode: 78, codes: ['PG_SLOT_MISSING'], hasRemedy: true };

  test('an end that nobody expected, and one that did not come', () => {
    expect(visible({ exits: [exit] })).toEqual(['H']);
    expect(visible({ expectedExit: stop })).toEqual(['H']);
    expect(visible({ expectedExit: stop, exits: [exit] })).toEqual([]);
  });

  test('an end in the wake of the expected one, and such an end alone', () => {
    const also = { ...exit, name: 'indexer', codes: ['KAFKA_TOPIC_RECREATED'] };
    const expectedExit = { ...stop, also: also.codes };
    expect(visible({ expectedExit, exits: [exit, also] })).toEqual([]);
    expect(visible({ expectedExit, exits: [also] })).toEqual(['H']);
  });

  test.each([
    ['another exit code', { exitCode: 1 }],
    ['another error', { codes: ['UNCLASSIFIED'] }],
    ['no word of what to do', { hasRemedy: false }],
  ])('the expected end with %s', (_name, change) => {
    expect(visible({ expectedExit: stop, exits: [{ ...exit, ...change }] })).toEqual(['H']);
  });

  test('a letter that nobody expected, that no metric counts, that no log line names', () => {
    const counters = new Map([['parked', 1]]);
    const letter = { letters: 1, lettersLogged: 1, counters, expectsLetters: true };
    expect(visible(letter)).toEqual([]);
    expect(visible({ ...letter, expectsLetters: false })).toEqual(['H']);
    expect(visible({ ...letter, counters: new Map([['parked', 0]]) })).toEqual(['H']);
    expect(visible({ ...letter, lettersLogged: 0 })).toEqual(['H']);
    expect(visible({ ...letter, letters: 0 })).toEqual(['H']);
  });

  test('a counter of what was left out', () => {
    expect(visible({ counters: new Map([['skipped changes', 1]]) })).toEqual(['H']);
  });

  test('a counter that must report the fault and does not', () => {
    expect(visible(staleTables(1))).toEqual([]);
    expect(visible(staleTables(0))).toEqual(['H']);
  });
});
