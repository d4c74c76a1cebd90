// A search store that no worker can fill: bulks are read, counted and answered after a time for each of their documents, as
// many at once as come; everything else goes to a real store. Arguments: its URL, microseconds per document. Prints its port.
// Bulks wait until `POST /_null/open`; `GET /_null/documents` says how many documents have been answered.
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const NEW_LINE = 0x0a;

const [store = '', usText = '0'] = process.argv.slice(2);
const usPerDocument = Number(usText);
let documents = 0;
let open: () => void = () => undefined;
const opened = new Promise<void>((resolve) => (open = resolve));

const server = createServer((asked, answer) => {
  const [path] = (asked.url ?? '').split('?');
  if (path === '/_null/open') {
    open();
    answer.end();
  } else if (path === '/_null/documents') answer.end(String(documents));
  else if (path === '/_bulk') void swallow(asked, answer);
  else pass(asked, answer);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' ? address?.port : undefined);
});

async function swallow(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  let lines = 0;
  asked.on('data', (part: Buffer) => {
    for (let at = part.indexOf(NEW_LINE); at >= 0; at = part.indexOf(NEW_LINE, at + 1)) lines += 1;
  });
  await new Promise((resolve) => asked.once('close', resolve));
  await opened;
  const count = lines / 2; // an action and its document
  await sleep((count * usPerDocument) / 1000);
  if (answer.destroyed) return; // cut off by its sender, who sends it again
  documents += count;
  answer.setHeader('content-type', 'application/json').end('{"took":0,"errors":false}');
}

function pass(asked: IncomingMessage, answer: ServerResponse): void {
  const { method, headers, url } = asked;
  const sent = request(`${store}${url ?? ''}`, { method, headers }, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  sent.on('error', () => answer.destroy());
  asked.pipe(sent);
}
