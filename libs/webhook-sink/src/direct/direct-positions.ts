import { Problem } from '../api/problems.ts';
import type { LogPositions } from '../replay/log-positions.ts';
import type { DirectLog } from './direct-log.ts';

/** Of the stream of a slot: it ends somewhere, and what it has shown once it does not show again. */
export function directPositions(log: Pick<DirectLog, 'ends'>): LogPositions {
  return { starts: refuse, ends: () => log.ends(), offsetsAt: refuse, recordAt: refuse };
}

function refuse(): Promise<never> {
  const why = 'without Kafka there is no log to replay from: run a producer into Kafka for that';
  return Promise.reject(new Problem(409, why));
}
