import type { SubscriptionSpec } from './store/subscription-store.ts';

export const DEFAULT_MAX_IN_FLIGHT = 4;
const DEFAULT_MAX_PAYLOAD_BYTES = 256 * 1024;

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
    maxInFlight: DEFAULT_MAX_IN_FLIGHT,
    ratePerSecond: null,
    timeoutMs,
    maxPayloadBytes: DEFAULT_MAX_PAYLOAD_BYTES,
    headers: {},
    tls: null,
    secrets: [],
  };
}
