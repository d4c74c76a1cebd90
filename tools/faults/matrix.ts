import { CLOCK_FAULTS } from './cases/clock.ts';
import { FAILPOINT_FAULTS } from './cases/failpoints.ts';
import { KAFKA_FAULTS } from './cases/kafka.ts';
import { NETWORK_FAULTS } from './cases/network.ts';
import { POSTGRES_FAULTS } from './cases/postgres.ts';
import { PROCESS_FAULTS } from './cases/processes.ts';
import { SEARCH_FAULTS } from './cases/search.ts';
import { SLOT_FAULTS } from './cases/slots.ts';
import type { Fault } from './fault.ts';

/** What the ledger says of a healthy run; it also warms the servers up. */
const NO_FAULT: Fault = {
  name: 'no-fault',
  group: 'control',
  summary: 'Nothing happens: the control.',
  expects: { kind: 'resumes' },
  run: async (scene) => scene.untilIndexed(100),
};

/** Every fault of the suite, in the order in which it is run and printed. */
export const FAULTS: readonly Fault[] = [
  NO_FAULT,
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...FAILPOINT_FAULTS,
  ...POSTGRES_FAULTS,
  ...SLOT_FAULTS,
  ...KAFKA_FAULTS,
  ...SEARCH_FAULTS,
  ...CLOCK_FAULTS,
];
