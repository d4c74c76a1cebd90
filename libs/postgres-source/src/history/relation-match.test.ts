import type { RelationColumn, RelationMessage } from '../pgoutput/messages.ts';
import { explainedColumns, learnTable } from './relation-match.ts';

const [INT, TEXT] = [23, 25];

function column(name: string, typeOid = TEXT, key = false): RelationColumn {
  return { name, typeOid, typeModifier: -1, key };
}

function relation(columns: RelationColumn[], rest: Partial<RelationMessage> = {}): RelationMessage {
  return { oid: 1, schema: 's', table: 't', replicaIdentity: 'd', columns, ...rest };
}

const NONE = new Map<never, never>();
const BEFORE = relation([column('id', INT, true), column('a'), column('b'), column('c', INT)]);
const KNOWN = learnTable(undefined, BEFORE, NONE);

function attnums(next: RelationMessage): (string | number)[][] {
  return learnTable(KNOWN, next, NONE).columns.map(({ attnum, name }) => [attnum, name]);
}

test('what was learned from a message explains it', () => {
  expect(explainedColumns(KNOWN, BEFORE)?.map(({ attnum }) => attnum)).toEqual([1, 2, 3, 4]);
  expect(KNOWN.identity).toEqual([1]);
});

test.each([
  ['another name', relation([...BEFORE.columns], { table: 'u' })],
  ['another schema', relation([...BEFORE.columns], { schema: 'u' })],
  ['another replica identity', relation([...BEFORE.columns], { replicaIdentity: 'f' })],
  ['another key', relation([column('id', INT), column('a', TEXT, true), column('b'), column('c', INT)])],
  ['a column less', relation(BEFORE.columns.slice(0, 3))],
  ['a column more', relation([...BEFORE.columns, column('d')])],
  ['another type', relation([...BEFORE.columns.slice(0, 3), column('c')])],
])('%s is not explained', (_, next) => {
  expect(explainedColumns(KNOWN, next)).toBeNull();
});

test('a generated column may be left out of the message', () => {
  const generated = KNOWN.columns.map((one) => (one.name === 'b' ? { ...one, generated: true } : one));
  const sent = relation([column('id', INT, true), column('a'), column('c', INT)]);
  expect(explainedColumns({ ...KNOWN, columns: generated }, sent)?.map(({ name }) => name)).toEqual([
    'id',
    'a',
    'c',
  ]);
  expect(explainedColumns({ ...KNOWN, columns: generated }, BEFORE)).toHaveLength(4);
});

test('a new name in front of a known column is a rename, behind the last one a new column', () => {
  expect(attnums(relation([column('id', INT, true), column('x'), column('b'), column('c', INT)]))).toEqual([
    [1, 'id'],
    [2, 'x'],
    [3, 'b'],
    [4, 'c'],
  ]);
  expect(attnums(relation([column('id', INT, true), column('b'), column('c', INT), column('x')]))).toEqual([
    [1, 'id'],
    [3, 'b'],
    [4, 'c'],
    [5, 'x'],
  ]);
});

test('under FULL, which flags every column, the key stays what it was while its columns last', () => {
  const full = BEFORE.columns.map((one) => ({ ...one, key: true }));
  expect(learnTable(KNOWN, relation(full, { replicaIdentity: 'f' }), NONE).identity).toEqual([1]);
  expect(learnTable(KNOWN, relation(full.slice(1), { replicaIdentity: 'f' }), NONE).identity).toEqual([]);
});
