import type { ErrorSpec } from '../error-spec.ts';

export const WEBHOOK_ERRORS = {
  WEBHOOK_SECRET_UNREADABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'A secret or the headers of a subscription were sealed with another key.',
    action:
      'Set PGSTREAM_WEBHOOK_SECRET_KEY to the key that was in use, or to the new key followed by the old one.',
  },
  WEBHOOK_SECRET_KEY_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'A secret or headers of a subscription are to be stored, and there is no key to seal them with.',
    action:
      'Set PGSTREAM_WEBHOOK_SECRET_KEY (openssl rand -base64 32), or subscribe without secret and headers ("signed": false).',
  },
  WEBHOOK_STREAM_TAKEN_OVER: {
    disposition: 'halt',
    summary: 'Another process delivers the webhooks of this slot now.',
    action: 'None where several run on purpose: a supervisor starts this one again, as standby.',
  },
  WEBHOOK_API_ADDRESS_UNAVAILABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The webhook API cannot listen on its address.',
    action: 'Choose another PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS, or end the process that uses it.',
  },
} as const satisfies Record<string, ErrorSpec>;
