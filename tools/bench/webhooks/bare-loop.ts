// What undici can do at all: POSTs one body again and again, and nothing else. Arguments: URL, requests, requests in flight,
// bytes of the body. Prints requests per second, after a fifth of them that warms up.
import { Buffer } from 'node:buffer';
import { Agent } from 'undici';

const [url = '', requestsText = '', inFlightText = '', bytesText = ''] = process.argv.slice(2);
const [requests, inFlight] = [Number(requestsText), Number(inFlightText)];
const { origin, pathname: path } = new URL(url);
const body = Buffer.alloc(Number(bytesText), 'x');
const agent = new Agent({ connections: inFlight, pipelining: 1 });
const warmUp = Math.floor(requests / 5);
let next = 0;
let startedAt = performance.now();
await Promise.all(Array.from({ length: inFlight }, () => sendSome()));
console.log(((requests - warmUp) / (performance.now() - startedAt)) * 1000);
await agent.destroy();

async function sendSome(): Promise<void> {
  for (let i = next++; i < requests; i = next++) {
    if (i === warmUp) startedAt = performance.now();
    const headers = { 'content-type': 'application/json', 'webhook-id': `bare-${i}` };
    // oxlint-disable-next-line no-await-in-loop -- one after the other, several side by side
    const answer = await agent.request({ origin, path, method: 'POST', headers, body });
    // oxlint-disable-next-line no-await-in-loop -- see above
    await answer.body.dump();
  }
}
