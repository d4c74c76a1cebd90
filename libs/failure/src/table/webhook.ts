import type { ErrorSpec } from '../error-spec.ts';

export const WEBHOOK_ERRORS = {
  WEBHOOK_SECRET_UNREADABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'A secret or the headers of a subscription were sealed with another key.',
    action:
      'Set PGSTREAM_WEBHOOK_SECRET_KEY to the key that was in use, or to the new key followed by the old one.',
  },
  WEBHOOK_API_ADDRESS_UNAVAILABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The webhook API cannot listen on its address.',
    action: 'Choose another PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS, or end the process that uses it.',
  },
} as const satisfies Record<string, ErrorSpec>;
