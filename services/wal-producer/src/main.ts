#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

// Rows make no objects, so a small nursery is enough; V8 would grow it to twice 16 MiB while it loads the modules. Set
// before they are loaded, hence the import further down.
setFlagsFromString('--max-semi-space-size=4');
const { runStandalone } = await import('@pgstream/assembly');

const manifest: { version: string } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

/** PostgreSQL to Kafka. One at a time holds the slot, further ones wait as standby. Settings: environment, -c FILE. */
process.exitCode = await runStandalone({
  name: 'wal-producer',
  version: manifest.version,
  source: 'postgres',
  target: 'kafka',
  argv: process.argv.slice(2),
  env: process.env,
});
