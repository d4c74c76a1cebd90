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
export { AddressGuard, type AddressGuardOptions } from './send/address-guard.ts';
export { Sender, type SenderOptions, type SendResult } from './send/sender.ts';
export { Slots } from './deliver/slots.ts';
export type { LogChunk, LogSource } from './log-source.ts';
export type { WebhookNotice, WebhookObserver } from './observer.ts';
export type { WebhookSinkOptions } from './options.ts';
export { WebhookSink, type LaneStatus } from './webhook-sink.ts';
export type { WebhookApiOptions } from './api/api-options.ts';
export { WebhookApi } from './api/webhook-api.ts';
