#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runStandalone } from '@pgstream/assembly';

const manifest: { version: string } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

/** Kafka to OpenSearch or Elasticsearch. Run as many as there is work: they share the partitions. */
process.exitCode = await runStandalone({
  name: 'search-indexer',
  version: manifest.version,
  source: 'kafka',
  target: 'search',
  argv: process.argv.slice(2),
  env: process.env,
});
