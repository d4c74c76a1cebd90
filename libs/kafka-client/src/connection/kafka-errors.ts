import { codeOf, PipelineError, type ErrorCode } from '@pgstream/failure';
import { brokerError, type BrokerVerdict } from '../protocol/error-codes.ts';

const CODE_OF_VERDICT: Readonly<Record<BrokerVerdict, ErrorCode>> = {
  retry: 'KAFKA_UNREACHABLE',
  fenced: 'KAFKA_PRODUCER_FENCED',
  duplicate: 'KAFKA_SEQUENCE_LOST',
  sequence: 'KAFKA_SEQUENCE_LOST',
  auth: 'KAFKA_AUTH_FAILED',
  // Sizes are checked before sending: the topic's limit was lowered meanwhile.
  'too-large': 'KAFKA_TOPIC_UNFIT',
  timestamp: 'KAFKA_TIMESTAMP_REFUSED',
  refused: 'KAFKA_REQUEST_REFUSED',
};

/** What a broker answered where the request cannot simply go on. `detail` is the start of a sentence. */
export function refusal(code: number, detail: string): PipelineError {
  const { name, verdict } = brokerError(code);
  return new PipelineError(CODE_OF_VERDICT[verdict], {
    detail: `${detail}: ${name}.`,
    facts: { kafkaError: name },
  });
}

/** Certificates and handshakes do not heal with time; a cut connection does. */
export function socketFailure(cause: unknown, address: string): PipelineError {
  if (cause instanceof PipelineError) return cause;
  const code = codeOf(cause);
  const detail = `Broker ${address}: ${cause instanceof Error ? cause.message : String(cause)}.`;
  const tls = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO)/.test(code);
  return new PipelineError(tls ? 'KAFKA_TLS_FAILED' : 'KAFKA_UNREACHABLE', { cause, detail });
}
