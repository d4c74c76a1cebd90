import type { ErrorSpec } from '../error-spec.ts';

export const KAFKA_ERRORS = {
  KAFKA_UNREACHABLE: {
    disposition: 'retry',
    summary: 'No Kafka broker answered, or the connection was dropped.',
    action: 'None: the client reconnects. If it persists, check the broker list, TLS and network policy.',
  },
} as const satisfies Record<string, ErrorSpec>;
