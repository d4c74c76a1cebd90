/** Highest `seq` that a version tells apart: 12 bits. Changes beyond it share a version and keep their order. */
export const MAX_VERSIONED_SEQ = 4095;

/**
 * The external version of a document: grows with every change of a row, the same at every replay. WAL records start
 * at multiples of 8, so this fits 63 bits for 16 PiB of WAL.
 */
export function documentVersion(commitLsn: bigint, seq: number): bigint {
  return ((commitLsn >> 3n) << 12n) + seqVersion(seq);
}

/** What a row's place in its transaction adds to the version of the first. */
export function seqVersion(seq: number): bigint {
  return BigInt(seq < MAX_VERSIONED_SEQ ? seq : MAX_VERSIONED_SEQ);
}
