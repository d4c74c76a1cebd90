/** A record that does not have the form of the event contract. Says where, never what values it holds. */
export class RecordFormatError extends Error {
  override readonly name = 'RecordFormatError';
  /** Offset in the record's value. */
  readonly offset: number;

  constructor(expected: string, offset: number) {
    super(`record: expected ${expected} at byte ${offset}`);
    this.offset = offset;
  }
}
