import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiPage, pages } from './pages.ts';

const read = (name: string) => readFileSync(join(__dirname, '../../docs', name), 'utf8');

test.each([...pages()])('docs/%s says what the code says (npm run docs prints it)', (name, text) => {
  expect(read(name)).toBe(text);
});

test('docs/openapi.json says what the routes of the webhook API say (npm run docs prints it)', async () => {
  const [name, text] = await openApiPage();
  expect(read(name)).toBe(text);
}, 30_000);
