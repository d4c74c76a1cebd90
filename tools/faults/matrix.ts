import { KAFKA_FAULTS } from './cases/kafka.ts';
import { NETWORK_FAULTS } from './cases/network.ts';
import { POSTGRES_FAULTS } from './cases/postgres.ts';
import { PROCESS_FAULTS } from './cases/processes.ts';
import { SEARCH_FAULTS } from './cases/search.ts';
import type { Fault } from './fault.ts';

/** Every fault of the suite, in the order in which it is run and printed. */
export const FAULTS: readonly Fault[] = [
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...POSTGRES_FAULTS,
  ...KAFKA_FAULTS,
  ...SEARCH_FAULTS,
];
