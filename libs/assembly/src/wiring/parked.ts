import { formatPosition, type DeadLetter } from '@pgstream/wal-event';
import type { RunContext } from '../runtime/run-context.ts';

/** Nothing is parked in silence. The identity is a value of the row, so it stays out of the log. */
export function parked({ log, metrics }: RunContext, letter: DeadLetter): void {
  const { sink, code, schema, table, position, reason } = letter;
  metrics.pgstream_dlq_records_total.inc({ sink, code });
  log.warn(
    { sink, code, schema, table, position: formatPosition(position), reason },
    'a record was parked as a dead letter',
  );
}
