import type { SubscriptionSpec } from './store/subscription-store.ts';

/** A subscription of `/v1` that says nothing but its URL, unsigned. */
export function defaultSpec(url: string, timeoutMs: number): SubscriptionSpec {
  return {
    url,
    description: '',
    origin: 'v1',
    legacy: null,
    format: 'standard',
    filters: [],
    ordering: 'key',
    maxInFlight: 4,
    ratePerSecond: null,
    timeoutMs,
    headers: {},
    secrets: [],
  };
}
