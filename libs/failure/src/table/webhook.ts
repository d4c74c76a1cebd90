import type { ErrorSpec } from '../error-spec.ts';

export const WEBHOOK_ERRORS = {
  WEBHOOK_SECRET_UNREADABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'A secret, the headers or the TLS material of a subscription were sealed with another key.',
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
  WEBHOOK_API_UNREACHABLE: {
    disposition: 'retry',
    summary: 'The webhook API does not answer.',
    action:
      'See that the notifier runs, and that PGSTREAM_WEBHOOK_API_URL (--webhook-api-url) is where its log says that the webhook API listens.',
  },
  WEBHOOK_API_DENIED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The webhook API does not accept the token.',
    action:
      'Set PGSTREAM_WEBHOOK_API_TOKEN (--webhook-api-token) to the value that the notifier was started with.',
  },
  WEBHOOK_API_REFUSED: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The webhook API refuses the request.',
    action: 'Correct what the message names; `pgstream webhooks ls` shows the subscriptions.',
  },
  WEBHOOK_API_FAILED: {
    disposition: 'retry',
    summary: 'The webhook API could not do what it was asked for.',
    action: 'Try again; the log of the notifier has the reason.',
  },
} as const satisfies Record<string, ErrorSpec>;
