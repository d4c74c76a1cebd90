/** What the producing side does when a broker answers with an error code. */
export type BrokerVerdict =
  /** The same request may succeed, at this broker or at the new leader. */
  | 'retry'
  /** Already in the log: as good as success. */
  | 'duplicate'
  /** Another producer has taken over. */
  | 'fenced'
  /** The broker's idea of our sequence differs from ours: only reading the log again tells what it holds. */
  | 'sequence'
  | 'too-large'
  | 'auth'
  | 'timestamp'
  | 'refused';

interface BrokerError {
  readonly name: string;
  readonly verdict: BrokerVerdict;
}

/** https://kafka.apache.org/protocol#protocol_error_codes, those that our requests can meet. */
const CODES: Readonly<Record<number, BrokerError>> = {
  1: { name: 'OFFSET_OUT_OF_RANGE', verdict: 'refused' },
  2: { name: 'CORRUPT_MESSAGE', verdict: 'retry' },
  3: { name: 'UNKNOWN_TOPIC_OR_PARTITION', verdict: 'retry' },
  5: { name: 'LEADER_NOT_AVAILABLE', verdict: 'retry' },
  6: { name: 'NOT_LEADER_OR_FOLLOWER', verdict: 'retry' },
  7: { name: 'REQUEST_TIMED_OUT', verdict: 'retry' },
  8: { name: 'BROKER_NOT_AVAILABLE', verdict: 'retry' },
  9: { name: 'REPLICA_NOT_AVAILABLE', verdict: 'retry' },
  10: { name: 'MESSAGE_TOO_LARGE', verdict: 'too-large' },
  13: { name: 'NETWORK_EXCEPTION', verdict: 'retry' },
  14: { name: 'COORDINATOR_LOAD_IN_PROGRESS', verdict: 'retry' },
  15: { name: 'COORDINATOR_NOT_AVAILABLE', verdict: 'retry' },
  16: { name: 'NOT_COORDINATOR', verdict: 'retry' },
  18: { name: 'RECORD_LIST_TOO_LARGE', verdict: 'too-large' },
  19: { name: 'NOT_ENOUGH_REPLICAS', verdict: 'retry' },
  20: { name: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', verdict: 'retry' },
  29: { name: 'TOPIC_AUTHORIZATION_FAILED', verdict: 'auth' },
  31: { name: 'CLUSTER_AUTHORIZATION_FAILED', verdict: 'auth' },
  32: { name: 'INVALID_TIMESTAMP', verdict: 'timestamp' },
  33: { name: 'UNSUPPORTED_SASL_MECHANISM', verdict: 'auth' },
  34: { name: 'ILLEGAL_SASL_STATE', verdict: 'auth' },
  35: { name: 'UNSUPPORTED_VERSION', verdict: 'refused' },
  41: { name: 'NOT_CONTROLLER', verdict: 'retry' },
  44: { name: 'POLICY_VIOLATION', verdict: 'refused' },
  45: { name: 'OUT_OF_ORDER_SEQUENCE_NUMBER', verdict: 'sequence' },
  46: { name: 'DUPLICATE_SEQUENCE_NUMBER', verdict: 'duplicate' },
  47: { name: 'INVALID_PRODUCER_EPOCH', verdict: 'fenced' },
  49: { name: 'INVALID_PRODUCER_ID_MAPPING', verdict: 'sequence' },
  51: { name: 'CONCURRENT_TRANSACTIONS', verdict: 'retry' },
  53: { name: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', verdict: 'auth' },
  56: { name: 'KAFKA_STORAGE_ERROR', verdict: 'retry' },
  58: { name: 'SASL_AUTHENTICATION_FAILED', verdict: 'auth' },
  59: { name: 'UNKNOWN_PRODUCER_ID', verdict: 'sequence' },
  72: { name: 'LISTENER_NOT_FOUND', verdict: 'retry' },
  74: { name: 'FENCED_LEADER_EPOCH', verdict: 'retry' },
  75: { name: 'UNKNOWN_LEADER_EPOCH', verdict: 'retry' },
  76: { name: 'UNSUPPORTED_COMPRESSION_TYPE', verdict: 'refused' },
  87: { name: 'INVALID_RECORD', verdict: 'refused' },
  89: { name: 'THROTTLING_QUOTA_EXCEEDED', verdict: 'retry' },
  90: { name: 'PRODUCER_FENCED', verdict: 'fenced' },
};

export function brokerError(code: number): BrokerError {
  return CODES[code] ?? { name: `error code ${code}`, verdict: 'refused' };
}
