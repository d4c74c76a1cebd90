import { Type, type Static, type TSchema } from '@sinclair/typebox';
import { ATTEMPT_OUTCOMES } from '../store/attempt-store.ts';
import type { Filter } from '../subscription.ts';
import { BODY_FORMATS, ORDERINGS } from '../subscription.ts';
import { FilterBody, LETTER_ID, oneOf, refTo, UUID } from './schemas.ts';

const listOf = <T extends TSchema>(items: T) => Type.Unsafe<readonly Static<T>[]>({ type: 'array', items });
const orNull = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: [String(schema['type']), 'null'] });
const TIME = Type.String({ format: 'date-time' });
const TEXT = Type.String();
const COUNT = Type.Integer({ minimum: 0 });
const NEXT = 'The value of `after` for the next page; null on the last one.';

/** https://www.rfc-editor.org/rfc/rfc9457 */
export const ProblemBody = Type.Object(
  { type: TEXT, title: TEXT, status: Type.Integer(), detail: TEXT },
  {
    $id: 'Problem',
    examples: [
      { type: 'about:blank', title: 'Not Found', status: 404, detail: 'there is no such path or method' },
    ],
  },
);

const SUBSCRIPTION = {
  id: UUID,
  url: TEXT,
  description: TEXT,
  origin: oneOf(['legacy', 'v1']),
  legacy: Type.Union([Type.Object({ schema: TEXT, table: TEXT, eventTypes: listOf(TEXT) }), Type.Null()], {
    description: 'What it hears of, where it was made by POST /webhooks/subscribe.',
  }),
  format: oneOf(BODY_FORMATS),
  filters: Type.Unsafe<readonly Filter[]>({ type: 'array', items: refTo(FilterBody) }),
  ordering: oneOf(ORDERINGS),
  maxInFlight: COUNT,
  ratePerSecond: orNull(Type.Number()),
  timeoutMs: COUNT,
  maxPayloadBytes: orNull(COUNT),
  headerNames: listOf(TEXT),
  tls: Type.Union(
    [
      Type.Object({
        ownCa: Type.Boolean(),
        clientCertificateUntil: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
      }),
      Type.Null(),
    ],
    { description: 'Of the TLS material, which is in no answer.' },
  ),
  state: oneOf(['active', 'paused', 'disabled']),
  stateReason: TEXT,
  signatures: Type.Integer({ minimum: 0, description: 'Secrets that sign each delivery.' }),
  publicKeys: Type.Unsafe<readonly string[]>({
    type: 'array',
    items: TEXT,
    description: 'Of the secrets that are ed25519 keys, newest first: each verifies a `v1a` signature.',
  }),
  failingSince: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    format: 'date-time',
    description: 'Since when no delivery has succeeded; null: the last one did.',
  }),
  createdAt: TIME,
};

const EXAMPLE_ID = '3f2a1c7e-5b0d-4e55-9a31-0c7d2f8b6a90';
const EXAMPLE = {
  id: EXAMPLE_ID,
  url: 'https://example.com/hook',
  description: '',
  origin: 'v1',
  legacy: null,
  format: 'standard',
  filters: [{ table: 'orders', operations: ['insert', 'ddl'] }],
  ordering: 'key',
  maxInFlight: 4,
  ratePerSecond: null,
  timeoutMs: 10_000,
  headerNames: ['Authorization'],
  state: 'active',
  stateReason: '',
  signatures: 1,
  publicKeys: [],
  failingSince: null,
  createdAt: '2026-11-21T09:14:10.325Z',
};

export const SubscriptionBody = Type.Object(SUBSCRIPTION, { $id: 'Subscription', examples: [EXAMPLE] });

export const MadeSubscription = Type.Object(
  {
    ...SUBSCRIPTION,
    secret: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description:
        'Signs the deliveries; shown here and never again. null: they are unsigned, or verified by `publicKeys`.',
    }),
  },
  {
    $id: 'MadeSubscription',
    examples: [{ ...EXAMPLE, secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD' }],
  },
);

export const SubscriptionPage = Type.Object(
  {
    items: listOf(refTo(SubscriptionBody)),
    next: Type.Unsafe<string | null>({ type: ['string', 'null'], description: NEXT }),
  },
  { $id: 'SubscriptionPage' },
);

export const StatusBody = Type.Object(
  {
    id: UUID,
    state: SUBSCRIPTION.state,
    stateReason: TEXT,
    failingSince: SUBSCRIPTION.failingSince,
    lagRecords: COUNT,
    parked: COUNT,
    gaps: listOf(
      Type.Object(
        { partition: COUNT, fromOffset: COUNT, toOffset: COUNT, reason: TEXT, at: TIME },
        { description: 'What retention took before it was delivered.' },
      ),
    ),
    partitions: listOf(
      Type.Object({
        partition: COUNT,
        nextOffset: Type.Integer({ minimum: 0, description: 'Everything before it is settled.' }),
        lagRecords: COUNT,
        state: oneOf(['attached', 'catching_up', 'detached']),
        circuit: Type.Unsafe<'closed' | 'open' | 'half-open' | null>({
          type: ['string', 'null'],
          enum: ['closed', 'open', 'half-open', null],
          description: 'null: another worker owns the partition.',
        }),
        oldestUnsettledSeconds: orNull(Type.Number()),
      }),
    ),
  },
  {
    $id: 'SubscriptionStatus',
    examples: [
      {
        id: EXAMPLE_ID,
        state: 'active',
        stateReason: '',
        failingSince: null,
        lagRecords: 17,
        parked: 0,
        gaps: [],
        partitions: [
          {
            partition: 0,
            nextOffset: 1200,
            lagRecords: 17,
            state: 'attached',
            circuit: 'closed',
            oldestUnsettledSeconds: 0.02,
          },
        ],
      },
    ],
  },
);

export const TestResult = Type.Object(
  { delivered: Type.Boolean(), status: orNull(Type.Integer()), reason: TEXT, durationMs: COUNT },
  { $id: 'TestResult' },
);

export const RotatedSecret = Type.Object(
  {
    secret: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Shown here and never again. null: it is verified by `publicKey`.',
    }),
    publicKey: orNull(TEXT),
    oldValidUntil: TIME,
  },
  { $id: 'RotatedSecret' },
);

export const ReplayBody = Type.Object(
  {
    id: UUID,
    partitions: listOf(
      Type.Object({
        partition: COUNT,
        nextOffset: Type.Integer({ minimum: 0, description: 'Where it goes on from.' }),
        before: Type.Integer({ minimum: 0, description: 'How far it had come.' }),
      }),
    ),
  },
  {
    $id: 'Replay',
    examples: [{ id: EXAMPLE_ID, partitions: [{ partition: 0, nextOffset: 1200, before: 5400 }] }],
  },
);

export const AttemptPage = Type.Object(
  {
    items: listOf(
      Type.Object({
        id: LETTER_ID,
        subscriptionId: UUID,
        partition: COUNT,
        offset: COUNT,
        eventId: Type.String({ description: 'The webhook-id.' }),
        attempt: Type.Integer({ minimum: 1, description: '1 for the first of its event.' }),
        outcome: oneOf(ATTEMPT_OUTCOMES, {
          description: '`endpoint`: it took nothing. `event`: it answered, and refused this one.',
        }),
        status: orNull(Type.Integer()),
        reason: TEXT,
        durationMs: COUNT,
        at: TIME,
      }),
    ),
    next: Type.Unsafe<string | null>({ type: ['string', 'null'], description: NEXT }),
  },
  {
    $id: 'AttemptPage',
    examples: [
      {
        items: [
          {
            id: '812',
            subscriptionId: EXAMPLE_ID,
            partition: 0,
            offset: 1204,
            eventId: 'msg_1-00000016B374D848-0000000003-1',
            attempt: 2,
            outcome: 'event',
            status: 422,
            reason: 'answered 422',
            durationMs: 31,
            at: '2026-11-21T09:14:12.001Z',
          },
        ],
        next: null,
      },
    ],
  },
);

export const LetterPage = Type.Object(
  {
    items: listOf(
      Type.Object({
        id: LETTER_ID,
        subscriptionId: UUID,
        partition: COUNT,
        offset: COUNT,
        eventId: TEXT,
        attempts: COUNT,
        reason: TEXT,
        at: TIME,
      }),
    ),
    next: Type.Unsafe<string | null>({ type: ['string', 'null'], description: NEXT }),
  },
  { $id: 'DeadLetterPage' },
);

export const ParkedLetter = Type.Object({ id: LETTER_ID, state: oneOf(['parked']) }, { $id: 'ParkedLetter' });
export const Nothing = Type.Null({ description: 'Done.' });

export type ShownSubscription = Static<typeof SubscriptionBody>;
export type ShownMadeSubscription = Static<typeof MadeSubscription>;
export type ShownStatus = Static<typeof StatusBody>;
export type ShownTestResult = Static<typeof TestResult>;
export type ShownRotatedSecret = Static<typeof RotatedSecret>;
export type ShownReplay = Static<typeof ReplayBody>;
export type ShownAttempt = Static<typeof AttemptPage>['items'][number];
export type ShownLetter = Static<typeof LetterPage>['items'][number];
