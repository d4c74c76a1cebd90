import { classifyPostgres, sqlStateOf } from './postgres-rules.ts';

const failing = (code: string) => Object.assign(new Error('text'), { code });

test.each([
  ['08006', 'PG_UNREACHABLE', 'retry'],
  ['57P01', 'PG_UNREACHABLE', 'retry'],
  ['57P03', 'PG_UNREACHABLE', 'retry'],
  ['ECONNREFUSED', 'PG_UNREACHABLE', 'retry'],
  ['ENOTFOUND', 'PG_UNREACHABLE', 'retry'],
  ['53300', 'PG_OVERLOADED', 'retry'],
  ['40P01', 'PG_CONFLICT', 'retry'],
  ['55P03', 'PG_CONFLICT', 'retry'],
  ['55006', 'PG_SLOT_ACTIVE', 'retry'],
  ['28P01', 'PG_AUTH_FAILED', 'halt'],
  ['28000', 'PG_AUTH_FAILED', 'halt'],
  ['3D000', 'PG_DATABASE_MISSING', 'halt'],
  ['42501', 'PG_PRIVILEGE_MISSING', 'halt'],
  ['55000', 'PG_PREREQUISITE', 'halt'],
  ['42704', 'PG_OBJECT_MISSING', 'halt'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'PG_TLS_FAILED', 'halt'],
  ['22012', 'UNCLASSIFIED', 'halt'],
])('%s is %s and %ss', (code, expected, disposition) => {
  const error = classifyPostgres(failing(code));
  expect(error).toMatchObject({ code: expected, disposition });
  expect(error.exitCode).toBe(disposition === 'halt' && expected !== 'UNCLASSIFIED' ? 78 : 1);
});

test('a connection that ended has no code in the driver and is retried; a programming error halts', () => {
  expect(classifyPostgres(new Error('Connection terminated unexpectedly')).code).toBe('PG_UNREACHABLE');
  expect(classifyPostgres(new TypeError('x is not a function')).code).toBe('UNCLASSIFIED');
});

test('the SQLSTATE stays readable under our error', () => {
  expect(sqlStateOf(classifyPostgres(failing('42501')))).toBe('42501');
  expect(sqlStateOf(new Error('none'))).toBe('');
});
