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
export { bodyOf, CONTENT_TYPES, type BodySource } from './wire/bodies.ts';
export { newSecret, secretFault, sign, type SignedMessage } from './wire/signature.ts';
export { defaultSpec } from './default-spec.ts';
export { RequestStore, type Claim, type RequestAnswer } from './store/request-store.ts';
export type { LogPositions } from './replay/log-positions.ts';
export { SecretBox } from './store/secret-box.ts';
export {
  SubscriptionStore,
  type ListOptions,
  type StartOffsets,
  type SubscriptionSpec,
} from './store/subscription-store.ts';
export {
  CursorStore,
  type CursorRow,
  type Gap,
  type LaneState,
  type RefusedCursors,
  type Rewound,
  type StoredCursor,
} from './store/cursor-store.ts';
export {
  RetryStore,
  type DeadLetterRow,
  type EventRef,
  type NewlyParked,
  type ParkedRow,
  type Postponed,
} from './store/retry-store.ts';
export {
  ATTEMPT_OUTCOMES,
  AttemptStore,
  type AttemptOutcome,
  type AttemptRow,
  type Attempted,
} from './store/attempt-store.ts';
export {
  OriginalSubscriptions,
  type TakenOver,
  type TakeOverOptions,
} from './store/original-subscriptions.ts';
export { AddressGuard, type AddressGuardOptions } from './send/address-guard.ts';
export { tlsFault, type ReceiverTls } from './send/receiver-tls.ts';
export { Sender, type SenderOptions, type SendResult } from './send/sender.ts';
export { Slots } from './deliver/slots.ts';
export type { LogChunk, LogSource } from './log-source.ts';
export type { WebhookNotice, WebhookObserver } from './observer.ts';
export type { WebhookSinkOptions } from './options.ts';
export { WebhookSink } from './webhook-sink.ts';
export type { LaneStatus } from './deliver/lane-status.ts';
export { DEFAULT_MAX_IN_FLIGHT } from './default-spec.ts';
export type { WebhookApiOptions } from './api/api-options.ts';
export type {
  ShownAttempt,
  ShownLetter,
  ShownMadeSubscription,
  ShownReplay,
  ShownRotatedSecret,
  ShownStatus,
  ShownSubscription,
  ShownTestResult,
} from './api/answers.ts';
export type { NewSubscription } from './api/schemas.ts';
export type { ReplayFrom } from './replay/replay.ts';
export { openApiDocument } from './api/document.ts';
export { WebhookApi, type ApiRoute } from './api/webhook-api.ts';
export { DirectCursorStore } from './direct/direct-cursor-store.ts';
export { DirectLog } from './direct/direct-log.ts';
export type { DirectLogOptions, DirectReaders } from './direct/direct-log-options.ts';
export { directPositions } from './direct/direct-positions.ts';
export { DirectWebhookSink, type DirectWebhookSinkOptions } from './direct/direct-webhook-sink.ts';
export { KeptStore } from './direct/kept-store.ts';
