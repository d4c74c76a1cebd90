// The reference in the run: a bare loop of `_bulk` requests with bodies made beforehand. Arguments: URL, index, file of
// documents (one `_source` a line, the id first: `id<TAB>source`), documents in front that are not counted. Prints one line of JSON.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';

const DOCUMENTS_PER_BULK = 5_000;
const IN_FLIGHT = 2;

const [url = '', index = '', file = '', warmUpText = '0'] = process.argv.slice(2);
const warmUpBulks = Math.ceil(Number(warmUpText) / DOCUMENTS_PER_BULK);
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
let next = 0;
await sendUntil(warmUpBulks);
const from = performance.now();
const before = process.cpuUsage();
await sendUntil(bodies.length);
const { user, system } = process.cpuUsage(before);
console.log(
  JSON.stringify({
    rows: lines.length - Math.min(lines.length, warmUpBulks * DOCUMENTS_PER_BULK),
    seconds: (performance.now() - from) / 1000,
    cpuS: (user + system) / 1e6,
  }),
);
agent.destroy();

async function sendUntil(end: number): Promise<void> {
  const worker = async () => {
    for (let body = bodies[next]; body !== undefined && next < end; body = bodies[next]) {
      next += 1;
      // oxlint-disable-next-line no-await-in-loop -- one after the other, two side by side
      await send(body);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, () => worker()));
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
