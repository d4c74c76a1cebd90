import { createHash } from 'node:crypto';

/** What makes the OID of a table unique for ever: cluster, database, and the generation of the cluster's LSNs. */
export interface SourceIdentity {
  /** As IDENTIFY_SYSTEM prints it. */
  readonly systemId: string;
  /** Survives ALTER DATABASE RENAME, as its name would not. */
  readonly databaseOid: number;
  readonly epoch: number;
}

const DIGITS = '0123456789abcdefghijklmnopqrstuv';
const ID_LENGTH = 20;
const ID_BYTES = 12;

/** 20 characters of base32hex, as the original's ids: stable over renames, new when a table is made again. */
export function tableIdOf(source: SourceIdentity, oid: number): string {
  const { systemId, databaseOid, epoch } = source;
  const digest = createHash('sha256')
    .update(JSON.stringify([systemId, databaseOid, epoch, oid]))
    .digest();
  let bits = BigInt(`0x${digest.toString('hex', 0, ID_BYTES)}`) << 4n;
  let id = '';
  for (let i = 0; i < ID_LENGTH; i += 1) {
    id = `${DIGITS[Number(bits & 31n)] ?? ''}${id}`;
    bits >>= 5n;
  }
  return id;
}
