import { Type, type SchemaOptions, type Static, type TSchema } from '@sinclair/typebox';
import { SIGNATURE_SCHEMES } from '../wire/signature.ts';
import { BODY_FORMATS, COMPARISONS, OPERATIONS, ORDERINGS, type ConditionValue } from '../subscription.ts';

const NAME = Type.String({ minLength: 1, maxLength: 200 });
export const oneOf = <const T extends readonly string[]>(names: T, options: SchemaOptions = {}) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...names], ...options });
/** By its name, under which the document has it once. */
export const refTo = <T extends TSchema>(schema: T) => Type.Unsafe<Static<T>>({ $ref: `${schema.$id}#` });
export const UUID = Type.String({ pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' });
export const LETTER_ID = Type.String({ pattern: '^[0-9]{1,18}$' });

// No alternatives: the validator turns numbers into texts and back until one fits, and here each of them does.
const SCALAR = { type: ['string', 'number', 'boolean'], maxLength: 1000 };
const ConditionValues = Type.Unsafe<ConditionValue | ConditionValue[]>({
  ...SCALAR,
  type: [...SCALAR.type, 'array'],
  items: SCALAR,
  maxItems: 100,
});

export const FilterBody = Type.Object(
  {
    schema: Type.Optional(NAME),
    table: Type.Optional(NAME),
    operations: Type.Optional(Type.Array(oneOf(OPERATIONS), { minItems: 1, maxItems: 6 })),
    changedColumns: Type.Optional(Type.Array(NAME, { minItems: 1, maxItems: 100 })),
    where: Type.Optional(
      Type.Array(
        Type.Object(
          {
            column: NAME,
            op: oneOf(COMPARISONS),
            value: ConditionValues,
          },
          { additionalProperties: false },
        ),
        { maxItems: 20 },
      ),
    ),
  },
  {
    $id: 'Filter',
    additionalProperties: false,
    description: 'All that it names must hold. Without `operations`: rows and TRUNCATE.',
    examples: [{ schema: 'public', table: 'orders*', operations: ['insert', 'update'] }],
  },
);

const SECRET = { maxLength: 200 };
const SCHEME = {
  description:
    'Of the secret that is made. `v1`: HMAC with a secret that both sides know. `v1a`: ed25519; its private key is in no answer, the public one verifies.',
};
/** Certificates and key in PEM. */
const PEM = Type.Optional(Type.String({ minLength: 1, maxLength: 65_536 }));
const ReceiverTlsBody = Type.Object({ ca: PEM, cert: PEM, key: PEM }, { additionalProperties: false });

const FIELDS = {
  url: Type.String({ minLength: 1, maxLength: 2000 }),
  description: Type.String({ maxLength: 500 }),
  format: oneOf(BODY_FORMATS),
  filters: Type.Unsafe<Static<typeof FilterBody>[]>({
    type: 'array',
    items: refTo(FilterBody),
    maxItems: 50,
    description: 'An event comes when any of them matches; none: every row change and TRUNCATE.',
  }),
  ordering: oneOf(ORDERINGS),
  maxInFlight: Type.Integer({ minimum: 1, maximum: 100 }),
  ratePerSecond: Type.Unsafe<number | null>({
    type: ['number', 'null'],
    exclusiveMinimum: 0,
    maximum: 100_000,
  }),
  timeoutMs: Type.Integer({ minimum: 100, maximum: 60_000 }),
  /** Bytes of a body. */
  maxPayloadBytes: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    minimum: 1_024,
    maximum: 100 * 1024 * 1024,
  }),
  /** Is in no answer. */
  tls: Type.Union([ReceiverTlsBody, Type.Null()]),
  headers: Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]{1,100}$' }), Type.String({ maxLength: 2000 }), {
    maxProperties: 50,
  }),
};

/** PATCH: what is not named stays as it is. */
export const SubscriptionPatch = Type.Partial(Type.Object(FIELDS), {
  $id: 'SubscriptionPatch',
  additionalProperties: false,
  description: 'What is not named stays as it is.',
  examples: [{ maxInFlight: 8, ratePerSecond: null }],
});
export type SubscriptionPatch = Static<typeof SubscriptionPatch>;

export const NewSubscription = Type.Object(
  {
    ...Type.Partial(Type.Object(FIELDS)).properties,
    url: FIELDS.url,
    secret: Type.Optional(
      Type.String({ ...SECRET, description: 'One that the receiver has already; otherwise one is made.' }),
    ),
    scheme: Type.Optional(oneOf(SIGNATURE_SCHEMES, SCHEME)),
    signed: Type.Optional(Type.Boolean({ description: '`false`: deliveries carry no signature.' })),
  },
  {
    $id: 'NewSubscription',
    additionalProperties: false,
    examples: [
      { url: 'https://example.com/hook', filters: [{ table: 'orders', operations: ['insert', 'ddl'] }] },
    ],
  },
);
export type NewSubscription = Static<typeof NewSubscription>;

export const RotateSecret = Type.Object(
  {
    secret: Type.Optional(Type.String({ ...SECRET, description: 'Otherwise one is made.' })),
    scheme: Type.Optional(
      oneOf(SIGNATURE_SCHEMES, { description: `${SCHEME.description} Default: that of the newest secret.` }),
    ),
    overlapSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 7 * 86_400,
        description: 'For so long the old secrets sign too. Default a day.',
      }),
    ),
  },
  { $id: 'RotateSecret', additionalProperties: false, examples: [{ overlapSeconds: 3600 }] },
);

const OFFSET = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const PARTITION = Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 });
const closed = { additionalProperties: false };

export const ReplayRequest = Type.Object(
  {
    from: Type.Union([
      Type.Object(
        { time: Type.String({ format: 'date-time', description: 'Of the commit.' }) },
        { ...closed, title: 'From a time' },
      ),
      Type.Object(
        {
          lsn: Type.String({ pattern: '^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$', description: 'Of the commit.' }),
          epoch: Type.Optional(
            Type.Integer({
              minimum: 0,
              description: 'That the LSN belongs to. Default: the newest in the log.',
            }),
          ),
        },
        { ...closed, title: 'From an LSN' },
      ),
      Type.Object(
        {
          offsets: Type.Array(Type.Object({ partition: PARTITION, offset: OFFSET }, closed), {
            minItems: 1,
            maxItems: 10_000,
          }),
        },
        { ...closed, title: 'From offsets, in these partitions only' },
      ),
      Type.Object({ beginning: Type.Literal(true) }, { ...closed, title: 'All that the log still has' }),
    ]),
  },
  {
    $id: 'ReplayRequest',
    ...closed,
    examples: [
      { from: { time: '2026-11-21T09:00:00Z' } },
      { from: { lsn: '16/B374D848' } },
      { from: { offsets: [{ partition: 0, offset: 1200 }] } },
      { from: { beginning: true } },
    ],
  },
);

export const IdParams = Type.Object({ id: UUID });
export const LetterParams = Type.Object({ id: LETTER_ID });

const LIMIT = Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 }));
export const PageQuery = Type.Object({ limit: LIMIT, after: Type.Optional(IdParams.properties.id) });
export const LetterQuery = Type.Object({
  limit: LIMIT,
  after: Type.Optional(LetterParams.properties.id),
  subscription: Type.Optional(IdParams.properties.id),
});
export const AttemptQuery = Type.Object({
  limit: LIMIT,
  after: Type.Optional(LetterParams.properties.id),
  status: Type.Optional(oneOf(['delivered', 'failed'])),
});
