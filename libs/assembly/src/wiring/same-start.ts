import { PipelineError } from '@pgstream/failure';
import type { StartState } from '@pgstream/postgres-source';

type Recorded = Pick<StartState['state'], 'slot' | 'epoch' | 'consistentPoint' | 'publications'>;

/**
 * Refuses to go on where `init` ran again while this process waited: it would write records of the new slot under the
 * old epoch, which every sink drops as long known.
 * @throws {PipelineError} PG_SLOT_FOREIGN: started again, the process takes over what `init` recorded.
 */
export function requireSameStart(known: Recorded, found: Recorded): void {
  const isSame =
    known.epoch === found.epoch &&
    known.consistentPoint === found.consistentPoint &&
    known.publications.join() === found.publications.join();
  if (isSame) return;
  throw new PipelineError('PG_SLOT_FOREIGN', {
    detail: `Slot ${found.slot} was set up anew while this process ran: start it again.`,
    facts: { epoch: found.epoch, before: known.epoch },
  });
}
