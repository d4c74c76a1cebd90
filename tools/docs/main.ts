import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openApiPage, pages } from './pages.ts';

const docs = join(import.meta.dirname, '../../docs');
const check = process.argv.includes('--check');
const stale: string[] = [];
for (const [name, text] of [...pages(), await openApiPage()]) {
  const path = join(docs, name);
  if (!check) write(path, text);
  else if (readOrEmpty(path) !== text) stale.push(`docs/${name}`);
}
if (stale.length > 0) {
  process.stderr.write(`not what the code says: ${stale.join(', ')}; run: npm run docs\n`);
  process.exitCode = 1;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
