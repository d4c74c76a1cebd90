// The reference in the run: a bare loop of `_bulk` requests with bodies made beforehand. Arguments: URL, index, file of
// documents (one `_source` a line, the id first: `id<TAB>source`). Prints one line of JSON.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';

const DOCUMENTS_PER_BULK = 5_000;
const IN_FLIGHT = 2;

const [url = '', index = '', file = ''] = process.argv.slice(2);
const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
const bodies: Buffer[] = [];
for (let from = 0; from < lines.length; from += DOCUMENTS_PER_BULK) {
  const part = lines.slice(from, from + DOCUMENTS_PER_BULK).map((line) => {
    const [id, source] = line.split('\t');
    return `{"index":{"_id":${JSON.stringify(id)},"version":1,"version_type":"external_gte"}}\n${source}\n`;
  });
  bodies.push(Buffer.from(part.join('')));
}
const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
const from = performance.now();
const before = process.cpuUsage();
let next = 0;
await Promise.all(Array.from({ length: IN_FLIGHT }, () => worker()));
const { user, system } = process.cpuUsage(before);
console.log(
  JSON.stringify({
    rows: lines.length,
    seconds: (performance.now() - from) / 1000,
    cpuS: (user + system) / 1e6,
  }),
);
agent.destroy();

async function worker(): Promise<void> {
  for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) await send(body);
}

function send(body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `${url}/${encodeURIComponent(index)}/_bulk?filter_path=errors`;
    const headers = { 'content-type': 'application/x-ndjson', 'content-length': body.length };
    const call = request(path, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () =>
        text.includes('"errors":false') ? resolve() : reject(new Error(text.slice(0, 300))),
      );
    });
    call.on('error', reject);
    call.end(body);
  });
}
