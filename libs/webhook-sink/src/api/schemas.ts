import { Type, type Static } from '@sinclair/typebox';
import { BODY_FORMATS, COMPARISONS, OPERATIONS, ORDERINGS } from '../subscription.ts';

const NAME = Type.String({ minLength: 1, maxLength: 200 });
const oneOf = <const T extends readonly string[]>(options: T) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...options] });

const ConditionValue = Type.Unsafe<string | number | boolean>({
  oneOf: [{ type: 'string', maxLength: 1000 }, { type: 'number' }, { type: 'boolean' }],
});

const FilterBody = Type.Object(
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
            value: Type.Unsafe<Static<typeof ConditionValue> | Static<typeof ConditionValue>[]>({
              anyOf: [ConditionValue, { type: 'array', items: ConditionValue, maxItems: 100 }],
            }),
          },
          { additionalProperties: false },
        ),
        { maxItems: 20 },
      ),
    ),
  },
  { additionalProperties: false },
);

const SECRET = Type.String({ maxLength: 200 });
const FIELDS = {
  url: Type.String({ minLength: 1, maxLength: 2000 }),
  description: Type.String({ maxLength: 500 }),
  format: oneOf(BODY_FORMATS),
  filters: Type.Array(FilterBody, { maxItems: 50 }),
  ordering: oneOf(ORDERINGS),
  maxInFlight: Type.Integer({ minimum: 1, maximum: 100 }),
  ratePerSecond: Type.Unsafe<number | null>({
    type: ['number', 'null'],
    exclusiveMinimum: 0,
    maximum: 100_000,
  }),
  timeoutMs: Type.Integer({ minimum: 100, maximum: 60_000 }),
  headers: Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]{1,100}$' }), Type.String({ maxLength: 2000 }), {
    maxProperties: 50,
  }),
};

/** PATCH: what is not named stays as it is. */
export const SubscriptionPatch = Type.Partial(Type.Object(FIELDS), { additionalProperties: false });
export type SubscriptionPatch = Static<typeof SubscriptionPatch>;

export const NewSubscription = Type.Object(
  {
    ...Type.Partial(Type.Object(FIELDS)).properties,
    url: FIELDS.url,
    /** One that the receiver has already; otherwise one is made. */
    secret: Type.Optional(SECRET),
    /** `false`: deliveries carry no signature. */
    signed: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type NewSubscription = Static<typeof NewSubscription>;

export const RotateSecret = Type.Object(
  {
    secret: Type.Optional(SECRET),
    /** For so long the old secrets sign too. Default a day. */
    overlapSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 7 * 86_400 })),
  },
  { additionalProperties: false },
);

export const IdParams = Type.Object({
  id: Type.String({ pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' }),
});
export const LetterParams = Type.Object({ id: Type.String({ pattern: '^[0-9]{1,18}$' }) });

const LIMIT = Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 }));
export const PageQuery = Type.Object({ limit: LIMIT, after: Type.Optional(IdParams.properties.id) });
export const LetterQuery = Type.Object({
  limit: LIMIT,
  after: Type.Optional(LetterParams.properties.id),
  subscription: Type.Optional(IdParams.properties.id),
});
