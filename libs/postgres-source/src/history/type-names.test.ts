import type { TypeMessage } from '../pgoutput/messages.ts';
import { formatBuiltIn, typeName } from './type-names.ts';

describe('types as format_type prints them', () => {
  test.each([
    [20, -1, 'bigint'],
    [1700, -1, 'numeric'],
    [1700, 655366, 'numeric(10,2)'],
    [1700, 133121, 'numeric(2,-3)'],
    [1043, 24, 'character varying(20)'],
    [1042, 9, 'character(5)'],
    [1042, -1, 'bpchar'],
    [1560, 3, 'bit(3)'],
    [1562, 7, 'bit varying(7)'],
    [1114, 3, 'timestamp(3) without time zone'],
    [1184, 0, 'timestamp(0) with time zone'],
    [1083, 6, 'time(6) without time zone'],
    [1186, 2147418115, 'interval(3)'],
    [1186, 458751, 'interval year to month'],
    [1186, 470286338, 'interval day to second(2)'],
    [18, -1, 'type(18)'],
  ])('%i with modifier %i is %s', (oid, modifier, name) => {
    expect(formatBuiltIn(oid, modifier)).toBe(name);
  });

  const announced = new Map<number, TypeMessage>([
    [90001, { oid: 90001, schema: 'app', name: 'mood' }],
    [90002, { oid: 90002, schema: 'Odd Schema', name: '_mood' }],
    [90003, { oid: 90003, schema: '', name: 'int4' }],
    [90004, { oid: 90004, schema: 'pg_catalog', name: '_varchar' }],
  ]);

  test.each([
    [1231, 655366, 'numeric(10,2)[]', 1231],
    [90001, -1, 'app.mood', 90001],
    [90002, -1, '"Odd Schema".mood[]', 90002],
    [90003, -1, 'integer', 23],
    [90004, -1, 'character varying[]', 90004],
    [90009, -1, 'type(90009)', 90009],
  ])('%i from messages alone is %s', (oid, modifier, type, baseOid) => {
    expect(typeName(oid, modifier, announced)).toMatchObject({ type, baseOid });
  });
});
