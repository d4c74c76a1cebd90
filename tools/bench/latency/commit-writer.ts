// The writing client, a process of its own so that nobody else's work delays its clock. Commits one row at a time at a steady
// rate into `latency_small` and notes when the server's answer to each was read. Arguments: URL, first id, rate per second,
// commits (`Infinity`: until its input ends). Prints one line of JSON: the microseconds of the monotonic clock, by id.
import { Client } from 'pg';
import { monotonicUs } from './clock.ts';

/** Commits that may be under way: a slow one does not hold up those that are due. */
const CONNECTIONS = 4;

const [url = '', firstText = '', rateText = '', commitsText = ''] = process.argv.slice(2);
const [first, rate, commits] = [Number(firstText), Number(rateText), Number(commitsText)];
const committedUs: number[] = [];
const clients = await Promise.all(
  Array.from({ length: CONNECTIONS }, async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await commit(client, first - 1); // prepares the statement; before the first that counts
    return client;
  }),
);
const startUs = monotonicUs();
let next = 0;
const input = process.stdin.resume();
await Promise.all(clients.map((client) => writeSome(client)));
console.log(JSON.stringify(committedUs));
await Promise.all(clients.map((client) => client.end()));
input.destroy();

async function writeSome(client: Client): Promise<void> {
  for (let i = next++; i < commits && !input.readableEnded; i = next++) {
    const waitMs = (startUs + (i / rate) * 1e6 - monotonicUs()) / 1000;
    // oxlint-disable-next-line no-await-in-loop -- one at a time at its time
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    // oxlint-disable-next-line no-await-in-loop -- see above
    await commit(client, first + i);
    committedUs[i] = monotonicUs();
  }
}

async function commit(client: Client, id: number): Promise<void> {
  const text = `INSERT INTO latency_small VALUES ($1::int, 'commit-' || $1::int || ';') ON CONFLICT (id) DO NOTHING`;
  await client.query({ name: 'commit', text, values: [id] });
}
