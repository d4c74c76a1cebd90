import type { RelationColumn, RelationMessage, TypeMessage } from '../pgoutput/messages.ts';
import type { KnownColumn, KnownTable } from './known-table.ts';
import { typeName } from './type-names.ts';

/**
 * The columns of `known` in the order of the RELATION message, or `null` when the two tell of different shapes.
 * Generated columns may be missing from the message: they are sent from PostgreSQL 18 on, and only if asked for.
 */
export function explainedColumns(known: KnownTable, relation: RelationMessage): KnownColumn[] | null {
  if (!sameTable(known, relation)) return null;
  const columns: KnownColumn[] = [];
  for (const column of known.columns) {
    const sent = relation.columns[columns.length];
    if (sent !== undefined && sameColumn(column, sent)) columns.push(column);
    else if (!column.generated) return null;
  }
  return columns.length === relation.columns.length && sameKey(known, columns, relation) ? columns : null;
}

function sameTable(known: KnownTable, relation: RelationMessage): boolean {
  return (
    known.name === relation.table &&
    knowsSchema(known, relation.schema) &&
    known.replica_identity === relation.replicaIdentity
  );
}

function sameColumn(column: KnownColumn, sent: RelationColumn): boolean {
  return (
    sent.name === column.name && sent.typeOid === column.type_oid && sent.typeModifier === column.type_mod
  );
}

/** Rows of a transaction that was open while its schema was renamed may still come under the former name. */
function knowsSchema(known: KnownTable, schema: string): boolean {
  return known.schema === schema || (known.former_schemas?.includes(schema) ?? false);
}

/** FULL flags every column, so the message says nothing about the key then. */
function sameKey(known: KnownTable, columns: readonly KnownColumn[], relation: RelationMessage): boolean {
  if (relation.replicaIdentity === 'f' || relation.replicaIdentity === 'n') return true;
  const flagged = columns.filter((_, i) => relation.columns[i]?.key === true);
  return (
    flagged.length === known.identity.length && flagged.every(({ attnum }) => known.identity.includes(attnum))
  );
}

/** The best guess at a table that nobody but this RELATION message has described. The same for the same history. */
export function learnTable(
  known: KnownTable | undefined,
  relation: RelationMessage,
  types: ReadonlyMap<number, TypeMessage>,
): KnownTable {
  const sources = matchByName(known, relation);
  let next = Math.max(0, ...(known?.columns ?? []).map(({ attnum }) => attnum));
  const columns = relation.columns.map(
    (sent, i) => learnColumn(sent, sources[i], types) ?? guess(sent, (next += 1), types),
  );
  return {
    oid: relation.oid,
    schema_oid: known?.schema === relation.schema ? known.schema_oid : 0,
    schema: relation.schema,
    name: relation.table,
    captured: true,
    replica_identity: relation.replicaIdentity,
    ...learnKeys(known, relation, columns),
    partitions: known?.partitions ?? null,
    columns: [...columns, ...generatedColumns(known, relation)].toSorted((a, b) => a.attnum - b.attnum),
    learned: true,
  };
}

/** @param columns in the order of the message */
function learnKeys(
  known: KnownTable | undefined,
  relation: RelationMessage,
  columns: readonly KnownColumn[],
): Pick<KnownTable, 'primary_key' | 'identity'> {
  const left = new Set(columns.map(({ attnum }) => attnum));
  const kept = (attnums: readonly number[] = []): readonly number[] =>
    attnums.every((attnum) => left.has(attnum)) ? attnums : [];
  const flagged = columns.filter((_, i) => relation.columns[i]?.key === true).map(({ attnum }) => attnum);
  const primaryKey = kept(known?.primary_key);
  switch (relation.replicaIdentity) {
    case 'd':
      return {
        primary_key: inKeyOrder(flagged, primaryKey),
        identity: inKeyOrder(flagged, kept(known?.identity)),
      };
    case 'i':
      return { primary_key: primaryKey, identity: inKeyOrder(flagged, kept(known?.identity)) };
    case 'f': {
      // FULL flags every column: the key is what it was, as far as it is still there
      const before = kept(known?.identity);
      return { primary_key: primaryKey, identity: before.length > 0 ? before : primaryKey };
    }
    case 'n':
    default:
      return { primary_key: primaryKey, identity: [] };
  }
}

/** The message flags the columns of a key but does not order them. */
function inKeyOrder(flagged: readonly number[], known: readonly number[]): readonly number[] {
  const same = flagged.length === known.length && flagged.every((attnum) => known.includes(attnum));
  return same ? known : flagged;
}

function generatedColumns(known: KnownTable | undefined, relation: RelationMessage): KnownColumn[] {
  const sent = new Set(relation.columns.map(({ name }) => name));
  return known?.columns.filter((column) => column.generated && !sent.has(column.name)) ?? [];
}

/**
 * For each column of the message the known column that it continues. New columns are only ever appended, so a name
 * that is new in front of a known one is a rename of what stood in its place; behind the last known one it is new.
 */
function matchByName(known: KnownTable | undefined, relation: RelationMessage): (KnownColumn | undefined)[] {
  const names = new Map(known?.columns.map((column) => [column.name, column]));
  const sources = relation.columns.map(({ name }) => names.get(name));
  const used = new Set(sources);
  const free = (known?.columns ?? []).filter((column) => !used.has(column) && !column.generated);
  const lastKnown = sources.findLastIndex((source) => source !== undefined);
  return sources.map((source, i) => {
    if (source !== undefined || i > lastKnown) return source;
    const following = sources.slice(i).find((later) => later !== undefined)?.attnum ?? 0;
    const at = free.findIndex(
      ({ attnum, type_oid }) => attnum < following && type_oid === relation.columns[i]?.typeOid,
    );
    return at === -1 ? undefined : free.splice(at, 1)[0];
  });
}

function learnColumn(
  sent: RelationColumn,
  source: KnownColumn | undefined,
  types: ReadonlyMap<number, TypeMessage>,
): KnownColumn | undefined {
  if (source === undefined) return undefined;
  if (source.type_oid === sent.typeOid && source.type_mod === sent.typeModifier)
    return { ...source, name: sent.name };
  const { type, baseOid, baseType } = typeName(sent.typeOid, sent.typeModifier, types);
  const typed = {
    type,
    type_oid: sent.typeOid,
    type_mod: sent.typeModifier,
    base_oid: baseOid,
    base_type: baseType,
  };
  return { ...source, name: sent.name, ...typed, attributes: null };
}

function guess(sent: RelationColumn, attnum: number, types: ReadonlyMap<number, TypeMessage>): KnownColumn {
  const { type, baseOid, baseType } = typeName(sent.typeOid, sent.typeModifier, types);
  return {
    attnum,
    name: sent.name,
    type,
    type_oid: sent.typeOid,
    type_mod: sent.typeModifier,
    base_oid: baseOid,
    base_type: baseType,
    attributes: null,
    nullable: !sent.key,
    default: null,
    generated: false,
    identity: null,
    unique: false,
    metadata: null,
    missing: null,
  };
}
