export { SearchDeadLetterStore, type StoredLetter } from './dead-letters.ts';
export {
  ByteSink,
  expectedFieldOf,
  type FieldMapping,
  type Layout,
  type PreviousDocument,
} from './document/index.ts';
export type { SearchFunctions } from './functions.ts';
export { pinnedNaming, schemaNaming, tableNaming, type IndexNaming } from './naming.ts';
export type { SearchNotice, SearchObserver } from './observer.ts';
export type { SearchSinkOptions } from './options.ts';
export type { ParkedEntry } from './parked/parked-entry.ts';
export { ParkedLetters, type ParkedFilter } from './parked/parked-letters.ts';
export type { Released } from './parked/release.ts';
export { SearchSink } from './search-sink.ts';
export { documentVersion } from './version.ts';
