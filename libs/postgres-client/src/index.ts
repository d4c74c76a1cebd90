export { parseConnectionUrl, SSL_MODES, type ConnectionSettings, type SslMode } from './connection-url.ts';
export {
  migrationsScript,
  migrationStatus,
  readMigrations,
  runMigrations,
  type Migration,
  type MigrationStatus,
} from './migrations.ts';
export { createPool, inTransaction, type PoolOptions, type PostgresPool, type Queries } from './pool.ts';
export { redactSecrets } from './redact.ts';
export { PINNED_GUCS, sessionConfig, startupOptions, type SessionOptions } from './session.ts';
export { tlsOptions } from './tls.ts';
