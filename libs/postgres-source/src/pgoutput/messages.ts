/** A column as RELATION describes it. `key` means part of the replica identity, not of the primary key. */
export interface RelationColumn {
  readonly name: string;
  readonly typeOid: number;
  /** As in pg_attribute.atttypmod; -1 for none. */
  readonly typeModifier: number;
  readonly key: boolean;
}

/** Sent before the first row of a relation, after each change of its shape, and again on every connection. */
export interface RelationMessage {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** pg_class.relreplident: `d`efault, `n`othing, `f`ull, `i`ndex. */
  readonly replicaIdentity: 'd' | 'n' | 'f' | 'i';
  /** In the order in which the tuples carry them: without dropped, and before PostgreSQL 18 without generated ones. */
  readonly columns: readonly RelationColumn[];
}

/** Sent before the RELATION that uses a type which is not built in. */
export interface TypeMessage {
  readonly oid: number;
  /** Empty for types in pg_catalog: a domain comes with its own OID and the name of its base type. */
  readonly schema: string;
  readonly name: string;
}
