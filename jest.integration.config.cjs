// Real servers: TEST_PG_URL, TEST_KAFKA_BROKERS, TEST_SEARCH_URL name them; without them the test run starts its own.
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['**/{libs,services,tools}/**/test/**/*.integration.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
  testTimeout: 60_000,
};
