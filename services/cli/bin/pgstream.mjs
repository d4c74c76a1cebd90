#!/usr/bin/env node
// What `npx pgstream` runs in a checkout: committed, so that npm can link it before anything is built.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(fileURLToPath(main))) {
  await import(main.href);
} else {
  process.stderr.write('pgstream is not built yet: run `npm ci` and `npm run build` first.\n');
  process.exitCode = 1;
}
