import { Buffer } from 'node:buffer';
import type { Filter, LegacyScope, Subscription } from '../subscription.ts';
import type { SecretBox } from './secret-box.ts';

type Row = Readonly<Record<string, unknown>>;

/** Columns of {@link subscriptionOf}; `s` is the subscription. Secrets that have run out are left where they are. */
export const SUBSCRIPTION_COLUMNS = `
  s.id::text AS id, s.url, s.description, s.origin, s.legacy_schema, s.legacy_table, s.body_format, s.filters, s.ordering,
  s.max_in_flight, s.rate_per_second, s.timeout_ms, s.headers, s.tls, s.max_payload_bytes, s.state, s.state_reason,
  (extract(epoch FROM s.failing_since) * 1000)::float8 AS failing_since_ms,
  (extract(epoch FROM s.created_at) * 1000)::float8 AS created_at_ms,
  ARRAY(SELECT k.sealed FROM pgstream.webhook_secret k WHERE k.subscription_id = s.id
    AND (k.valid_until IS NULL OR k.valid_until > now()) ORDER BY k.id DESC) AS secrets`;

/** @throws {PipelineError} WEBHOOK_SECRET_UNREADABLE */
export function subscriptionOf(row: Row, box: SecretBox): Subscription {
  const id = String(row['id']);
  const { headers, secrets, tls } = row;
  return {
    id,
    url: String(row['url']),
    description: String(row['description']),
    ...scopeOf(row),
    format: oneOf(row['body_format']),
    ordering: oneOf(row['ordering']),
    maxInFlight: Number(row['max_in_flight']),
    ratePerSecond: numberOrNull(row['rate_per_second']),
    timeoutMs: Number(row['timeout_ms']),
    maxPayloadBytes: numberOrNull(row['max_payload_bytes']),
    headers: headers instanceof Uint8Array ? parsed(box.open(Buffer.from(headers), id)) : {},
    tls: tls instanceof Uint8Array ? parsed(box.open(Buffer.from(tls), tlsOwner(id))) : null,
    state: oneOf(row['state']),
    stateReason: String(row['state_reason']),
    failingSinceMs: numberOrNull(row['failing_since_ms']),
    secrets: Array.isArray(secrets)
      ? secrets.map((sealed: Uint8Array) => box.open(Buffer.from(sealed), id))
      : [],
    createdAtMs: Number(row['created_at_ms']),
  };
}

function scopeOf(row: Row): Pick<Subscription, 'origin' | 'legacy' | 'filters'> {
  const { filters } = row;
  const list = Array.isArray(filters) ? filters : [];
  if (row['origin'] === 'legacy') {
    const legacy: LegacyScope = {
      schema: String(row['legacy_schema']),
      table: String(row['legacy_table']),
      eventTypes: list.map(String),
    };
    return { origin: 'legacy', legacy, filters: [] };
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked by the API before it was stored
  return { origin: 'v1', legacy: null, filters: list as Filter[] };
}

/** A text that a CHECK of its table holds to the members of its type. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller's type is the point
function oneOf<T extends string>(value: unknown): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return String(value) as T;
}

export function numberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

/** Sealed apart from headers and secrets: one cannot be put in the place of the other. */
export function tlsOwner(id: string): string {
  return `${id}/tls`;
}

/** Texts by name, as they were sealed by us: headers, or the parts of the TLS material. */
function parsed(json: string): Record<string, string> {
  const value: Record<string, string> = JSON.parse(json);
  return value;
}
