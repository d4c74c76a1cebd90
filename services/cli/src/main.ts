#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runCli } from './cli.ts';

/** The same depth from `src` and from `dist`. */
const below = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const manifest: { version: string } = JSON.parse(readFileSync(below('../package.json'), 'utf8'));

process.exitCode = await runCli(process.argv.slice(2), {
  terminal: { env: process.env, stdout: process.stdout, stderr: process.stderr, stdin: process.stdin },
  version: manifest.version,
  migrationsDir: below('../../../migrations'),
});
