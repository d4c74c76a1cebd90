import type { DeadLetter, DeadLetterStore } from '@pgstream/wal-event';

/** Nothing is parked in silence: tells `onParked` of every letter once the store holds it. */
export function observedDeadLetters(
  store: DeadLetterStore,
  onParked: (letter: DeadLetter) => void,
): DeadLetterStore {
  return {
    async park(letters) {
      await store.park(letters);
      for (const letter of letters) onParked(letter);
    },
  };
}
