module.exports = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@pgstream/source', 'node', 'require', 'default'] },
  testMatch: ['**/{libs,services}/*/src/**/*.test.ts', '**/tools/**/*.test.ts'],
  modulePathIgnorePatterns: ['/dist/'],
  testPathIgnorePatterns: ['/node_modules/', '\\.integration\\.test\\.ts$'],
  // Published as an ES module only: the second opinion on our signatures.
  transformIgnorePatterns: ['/node_modules/(?!svix/)'],
  transform: {
    '^.+\\.m?[tj]s$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
};
