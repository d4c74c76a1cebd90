#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runStandalone } from '@pgstream/assembly';

const manifest: { version: string } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

/** Kafka to HTTP endpoints. Run as many as there is work: they share the partitions. */
process.exitCode = await runStandalone({
  name: 'webhook-notifier',
  version: manifest.version,
  source: 'kafka',
  target: 'webhooks',
  argv: process.argv.slice(2),
  env: process.env,
});
