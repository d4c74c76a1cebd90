import type { Sql } from '../sql.ts';
import { publicationNames, qualified, quoteIdent, type PublicationNames, type TableName } from './names.ts';
import { addTableSql } from './publication.ts';
import { flag, text, type Row } from './rows.ts';
import { listKeyless } from './identity.ts';
import { tryWithShortLock } from './short-lock.ts';
import { recordGap } from './state.ts';
import { EVERY_TABLE, selectionIncludes, type TableSelection } from './table-selection.ts';

export interface AddedTables {
  /** Now captured whole. Rows written before are a recorded gap. */
  readonly full: readonly TableName[];
  /** Now captured with INSERT and TRUNCATE only: no usable replica identity. */
  readonly insertOnly: readonly TableName[];
  /** Cannot be added: this role does not own them. Their owner or a superuser can, by the SQL. */
  readonly notOwned: readonly (TableName & { readonly remedy: string })[];
  /** Locked by others just now: tried again at the next call. */
  readonly busy: readonly TableName[];
}

const CANDIDATES = `
SELECT n.nspname AS schema, c.relname AS table, pg_has_role(c.relowner, 'USAGE') AS owned,
  EXISTS (SELECT FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
    WHERE p.pubname = $1 AND r.prrelid = c.oid) AS in_full,
  EXISTS (SELECT FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
    WHERE p.pubname = $2 AND r.prrelid = c.oid) AS in_insert_only
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition AND c.oid >= 16384
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream', 'pgroll')
ORDER BY 1, 2`;

/**
 * List mode: adds the tables that are wanted and missing, each in a short transaction that gives up rather than waits. Tables
 * that lost their identity go from the full list to the other. Call it at start and every few seconds.
 */
export async function addMissingTables(
  sql: Sql,
  options: {
    readonly slot: string;
    readonly filter?: TableSelection;
    /** False before the slot exists: what is older than it comes with a snapshot. Default true. */
    readonly recordGaps?: boolean;
  },
): Promise<AddedTables> {
  const names = publicationNames(options.slot);
  const selection = options.filter ?? EVERY_TABLE;
  const keyless = new Set((await listKeyless(sql)).map((table) => qualified(table.root)));
  const { rows } = await sql.query(CANDIDATES, [names.full, names.insertOnly]);
  const candidates = rows.map((row) => toCandidate(row, keyless));
  const open = candidates.filter((one) => !one.published && selectionIncludes(selection, one.name));
  const done: Candidate[] = [];
  for (const one of open.filter((candidate) => candidate.owned)) {
    // oxlint-disable-next-line no-await-in-loop -- short transactions, one lock at a time
    if (!(await tryWithShortLock(sql, moveSql(one, names)))) continue;
    done.push(one);
    // oxlint-disable-next-line no-await-in-loop -- as above
    if (!one.elsewhere && options.recordGaps !== false) await noteGap(sql, options.slot, one.name);
  }
  const named = (list: readonly Candidate[]) => list.map((one) => one.name);
  return {
    full: named(done.filter((one) => one.target === 'full')),
    insertOnly: named(done.filter((one) => one.target === 'insertOnly')),
    busy: named(open.filter((one) => one.owned && !done.includes(one))),
    notOwned: open
      .filter((one) => !one.owned)
      .map(({ name }) => ({
        ...name,
        remedy: `ALTER TABLE ${qualified(name)} OWNER TO …; -- the streaming role or one it is a member of`,
      })),
  };
}

interface Candidate {
  readonly name: TableName;
  readonly owned: boolean;
  readonly target: keyof PublicationNames;
  /** It is in the list where it belongs. */
  readonly published: boolean;
  /** It is in the other list. */
  readonly elsewhere: boolean;
}

function toCandidate(row: Row, keyless: ReadonlySet<string>): Candidate {
  const name = { schema: text(row, 'schema'), table: text(row, 'table') };
  const inFull = flag(row, 'in_full');
  const inInsertOnly = flag(row, 'in_insert_only');
  const common = { name, owned: flag(row, 'owned') };
  return keyless.has(qualified(name))
    ? { ...common, target: 'insertOnly', published: inInsertOnly && !inFull, elsewhere: inFull }
    : { ...common, target: 'full', published: inFull, elsewhere: inInsertOnly };
}

function moveSql({ name, target, elsewhere }: Candidate, names: PublicationNames): string {
  const other = names[target === 'full' ? 'insertOnly' : 'full'];
  const drop = elsewhere ? `ALTER PUBLICATION ${quoteIdent(other)} DROP TABLE ${qualified(name)};` : '';
  return `${drop} ${addTableSql(names[target], name)}`;
}

async function noteGap(sql: Sql, slot: string, table: TableName): Promise<void> {
  const { rows } = await sql.query('SELECT pg_current_wal_lsn()::text AS lsn');
  const toLsn = text(rows[0], 'lsn');
  await recordGap(sql, {
    slot,
    table,
    fromLsn: null,
    toLsn,
    reason: 'rows written before the table was added',
  });
}
