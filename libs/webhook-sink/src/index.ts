export {
  BODY_FORMATS,
  COMPARISONS,
  OPERATIONS,
  ORDERINGS,
  type BodyFormat,
  type Condition,
  type ConditionValue,
  type Filter,
  type LegacyScope,
  type Operation,
  type Ordering,
  type Subscription,
  type SubscriptionState,
} from './subscription.ts';
export { compile, type Matcher } from './match/matcher.ts';
export { bodyOf, CONTENT_TYPES, eventTypeOf, type BodySource } from './wire/bodies.ts';
export { newSecret, secretFault, sign, type SignedMessage } from './wire/signature.ts';
export { SecretBox } from './store/secret-box.ts';
export {
  SubscriptionStore,
  type ListOptions,
  type StartOffsets,
  type SubscriptionSpec,
} from './store/subscription-store.ts';
export { CursorStore, type CursorRow, type Gap, type LaneState } from './store/cursor-store.ts';
export {
  RetryStore,
  type DeadLetterRow,
  type EventRef,
  type NewlyParked,
  type ParkedRow,
  type Postponed,
} from './store/retry-store.ts';
