import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pages } from './pages.ts';

test.each([...pages()])('docs/%s says what the code says (npm run docs prints it)', (name, text) => {
  expect(readFileSync(join(__dirname, '../../docs', name), 'utf8')).toBe(text);
});
