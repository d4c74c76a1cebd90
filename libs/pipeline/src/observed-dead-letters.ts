import { failpoint } from '@pgstream/failure';
import type { DeadLetter, DeadLetterStore } from '@pgstream/wal-event';

/** Nothing is parked in silence: tells `onParked` of every letter once the store holds it. */
export function observedDeadLetters(
  store: DeadLetterStore,
  onParked: (letter: DeadLetter) => void,
): DeadLetterStore {
  return {
    async park(letters) {
      failpoint?.('letters.parking');
      await store.park(letters);
      failpoint?.('letters.parked');
      for (const letter of letters) onParked(letter);
    },
  };
}
