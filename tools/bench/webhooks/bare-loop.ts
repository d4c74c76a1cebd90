// What undici can do at all: POSTs the request of a delivery again and again, its headers and its body made beforehand, and
// nothing else. Arguments: URL, requests, requests in flight, bytes of the body. Prints requests per second, after a fifth
// of them that warms up.
import { Buffer } from 'node:buffer';
import { Agent } from 'undici';

const [url = '', requestsText = '', inFlightText = '', bytesText = ''] = process.argv.slice(2);
const [requests, inFlight] = [Number(requestsText), Number(inFlightText)];
const { origin, pathname: path } = new URL(url);
const body = Buffer.alloc(Number(bytesText), 'x');
const agent = new Agent({ connections: inFlight, pipelining: 1 });
/** As many and as long as the product sends. */
const headers: Record<string, string> = {
  'content-type': 'application/json',
  'user-agent': 'pgstream/0.1.0',
  'webhook-id': '',
  'webhook-timestamp': '1700000000',
  'webhook-attempt': '1',
  'idempotency-key': 'msg_1-0000000012345678-0',
  'x-pgstream-lsn': '0/12345678',
  'webhook-signature': 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
};
const warmUp = Math.floor(requests / 5);
let next = 0;
let startedAt = performance.now();
await Promise.all(Array.from({ length: inFlight }, () => sendSome()));
console.log(((requests - warmUp) / (performance.now() - startedAt)) * 1000);
await agent.destroy();

async function sendSome(): Promise<void> {
  for (let i = next++; i < requests; i = next++) {
    if (i === warmUp) startedAt = performance.now();
    headers['webhook-id'] = `bare-${i}`;
    // oxlint-disable-next-line no-await-in-loop -- one after the other, several side by side
    const answer = await agent.request({ origin, path, method: 'POST', headers, body });
    // oxlint-disable-next-line no-await-in-loop -- see above
    await answer.body.dump();
  }
}
