/** Real servers for integration tests. `npm test` starts them; `npm run stack -- up` prints them for use by hand. */
export interface Endpoints {
  /** A superuser's URL of the default PostgreSQL. */
  readonly postgresUrl: string;
  /** By major version, for tests that must hold on each: 15 to 18. */
  readonly postgresUrls: Readonly<Record<15 | 16 | 17 | 18, string>>;
  readonly kafkaBrokers: readonly string[];
  readonly searchUrl: string;
}

/** @throws {Error} naming the variable that is missing: a test never skips itself for want of a server. */
export function endpoints(): Endpoints {
  const postgresUrl = required('TEST_PG_URL');
  return {
    postgresUrl,
    postgresUrls: {
      15: required('TEST_PG15_URL'),
      16: required('TEST_PG16_URL'),
      17: required('TEST_PG17_URL'),
      18: required('TEST_PG18_URL'),
    },
    kafkaBrokers: required('TEST_KAFKA_BROKERS').split(','),
    searchUrl: required('TEST_SEARCH_URL'),
  };
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: run the tests through \`npm test\`, or see \`npm run stack -- up\``);
  }
  return value;
}

let counter = 0;

/** A name that no other test uses: lower case letters, digits and `_`, fit for a database, slot, topic or index. */
export function uniqueName(prefix: string): string {
  counter += 1;
  return `${prefix}_${process.pid.toString(36)}_${Date.now().toString(36)}_${counter}`;
}
