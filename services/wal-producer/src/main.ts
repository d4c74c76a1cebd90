#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { keepNurserySmall } from './small-nursery.ts';

keepNurserySmall(); // before the modules are loaded, hence the import further down
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
