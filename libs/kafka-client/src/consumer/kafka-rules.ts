import type { ClassifyRule, PipelineError } from '@pgstream/failure';
import { classify } from '@pgstream/failure';

/** Kafka error types and error names (as the client library spells them) that a consumer meets and cannot heal. */
const REFUSED = new Set([
  'GROUP_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'KafkaJSSASLAuthenticationError',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'INVALID_SESSION_TIMEOUT',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID',
  'UNSUPPORTED_VERSION',
]);

/** The membership ended: somebody else owns the partitions, or will. Nothing of it may be committed any more. */
const OWNERSHIP_LOST = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
]);

/** Failures that the library does not try again by itself, and that end with the outage that caused them. */
const TRANSIENT = new Set([
  'KafkaJSBrokerNotFound',
  'KafkaJSConnectionClosedError',
  'KafkaJSConnectionError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSTimeout',
  'KafkaJSTopicMetadataNotLoaded',
]);

/** Stands for every failure that the library calls retriable. */
const RETRIABLE = 'retriable';

const CONSUMER_RULES: readonly ClassifyRule[] = [
  {
    code: 'KAFKA_GROUP_REFUSED',
    matches: (code) => REFUSED.has(code) || code === 'KafkaJSSASLAuthenticationError',
  },
  { code: 'KAFKA_UNREACHABLE', matches: (code) => code === 'retriable' },
];

/** Classifies what the client library throws: by its error type, else by what it says about retrying. */
export function classifyConsumerFailure(cause: unknown): PipelineError {
  const failure = rootOf(cause);
  return classify(
    failure,
    CONSUMER_RULES.map(({ code, matches }) => ({ code, matches: () => matches(typeOf(failure)) })),
  );
}

export function isOwnershipLost(cause: unknown): boolean {
  return OWNERSHIP_LOST.has(typeOf(rootOf(cause)));
}

/** The group is coming together anew; until it has, its members own what they owned. */
export function isRebalancing(cause: unknown): boolean {
  return typeOf(rootOf(cause)) === 'REBALANCE_IN_PROGRESS';
}

/** The library wraps a failure once it has given up trying; the first one says what happened. */
function rootOf(cause: unknown): unknown {
  let root = cause;
  while (root instanceof Error && root.name.startsWith('KafkaJS') && root.cause instanceof Error)
    root = root.cause;
  return root;
}

function typeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  const type = 'type' in cause ? String(cause.type) : cause.name;
  if (REFUSED.has(type) || OWNERSHIP_LOST.has(type)) return type;
  if (TRANSIENT.has(cause.name)) return RETRIABLE;
  if ('retriable' in cause) return cause.retriable === false ? type : RETRIABLE;
  // Node's own: ECONNREFUSED, ECONNRESET, ETIMEDOUT, ENOTFOUND and their like name the system call.
  return 'syscall' in cause ? RETRIABLE : type;
}
