import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { named, Normaliser, parseTree, repaired, textOf, waitFor, type TreeObject } from '@pgstream/test-kit';
import { apiOf, Hook, type Delivery } from './hook.ts';
import { Lab } from './product.ts';

// What the original sent for a script, and its answers to requests, as recorded from its version 1.4.1.
const FIXTURES = join(__dirname, 'fixtures');
const RECORDED_RECEIVER = '127.0.0.1:18080';
/** The calls that subscribe, before anything was sent. */
const FIRST_CALLS = 9;
const ALL_MS = 60_000;
jest.setTimeout(4 * ALL_MS);

interface Call {
  readonly note: string;
  readonly request: string;
  readonly response: string;
}

function linesOf<T>(name: string): T[] {
  return readFileSync(join(FIXTURES, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): T => JSON.parse(line));
}

const calls = linesOf<Partial<Call>>('subscription-api.ndjson').filter(
  (line): line is Call => line.request !== undefined,
);

/** Sends the bytes as they are, and answers with status line and body. */
async function raw(api: string, request: string): Promise<string> {
  const { hostname, port } = new URL(api);
  return await new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(request));
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}

/** Status, type and body: what the original's clients may look at. */
function essence(response: string): readonly [string, string, string] {
  const [head = '', body = ''] = response.split('\r\n\r\n');
  const type = /content-type: ([^\r\n]*)/i.exec(head)?.[1] ?? '';
  return [head.split(' ')[1] ?? '', type, body];
}

/** The words of a refusal are ours. */
const wording = (status: string, body: string) => (status < '300' ? body : '');

const dataOf = ({ body }: Delivery): string => {
  expect(body.startsWith('{"Data":{') && body.endsWith('}')).toBe(true);
  return body.slice('{"Data":'.length, -1);
};

/** Schemas are not told by the original. */
function isOurOwn(json: string): boolean {
  const { prefix, content } = parseTree(json);
  if (prefix !== 'pgstream.ddl') return false;
  return /^(CREATE|DROP) SCHEMA$/.test(textOf(parseTree(textOf(content))['command_tag']));
}

/** Of each event what was taken, in the order of the log: rows with different keys may arrive in another one. */
function inOrder(deliveries: readonly Delivery[]): string[] {
  const byId = new Map(deliveries.map((one) => [String(one.headers['idempotency-key']), one]));
  return [...byId]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => dataOf(one))
    .filter((json) => !isOurOwn(json));
}

const normalised = (records: readonly string[]): TreeObject[] => {
  const normaliser = new Normaliser();
  return records.map((json) => normaliser.record(json));
};

/** Names of members in their order: of the record, its metadata and a column. */
function memberOrder(json: string): string {
  const record = new Normaliser().record(json);
  const [column] = Array.isArray(record['columns']) ? record['columns'] : [];
  return [record, record['metadata'] ?? null, column ?? {}]
    .map((tree) => Object.keys(named(tree ?? {})).join())
    .join('; ');
}

interface Recorded {
  readonly seq?: number;
  readonly path: string;
  readonly body: string;
  readonly answered: number;
}

/** Up to the last statement of the script, by path, without the attempts that failed. */
function recordedBodies(path: string): string[] {
  return linesOf<Recorded>('webhook-deliveries.ndjson')
    .filter((line) => (line.seq ?? 99) <= 43 && line.path === path && line.answered < 300)
    .map(({ body }) => body.slice('{"Data":'.length, -1));
}

describe('webhooks beside the original', () => {
  let lab: Lab;
  let hook: Hook;
  let api: string;
  const answers: string[] = [];

  beforeAll(async () => {
    lab = await Lab.open();
    hook = await Hook.listen();
    let flaky = 0;
    hook.answers(({ path }) => {
      if (path === '/flaky') return flaky++ < 2 ? 503 : 200;
      return path === '/reject' ? 400 : 200;
    });
    const { code, stderr } = await lab.command('init', '--pgurl', lab.url, '--keyless=full');
    if (code !== 0) throw new Error(stderr);
    const running = lab.start(['run'], {
      PGSTREAM_POSTGRES_LISTENER_URL: lab.url,
      PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL: lab.url,
      PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS: '127.0.0.1:0',
      PGSTREAM_WEBHOOK_ALLOW: '127.0.0.1',
      PGSTREAM_LOG_FORMAT: 'json',
    });
    api = await apiOf(running);
    const receiver = `127.0.0.1:${hook.port}`;
    // As long as the recorded one, so that Content-Length stays true.
    if (receiver.length !== RECORDED_RECEIVER.length) throw new Error(`a short port: ${receiver}`);
    const answer = (call: Call) => raw(api, call.request.replaceAll(RECORDED_RECEIVER, receiver));
    for (const call of calls.slice(0, FIRST_CALLS)) answers.push(await answer(call));
    for (const statement of readFileSync(join(FIXTURES, 'webhook-script.sql'), 'utf8').split('\n')) {
      if (statement !== '' && !statement.startsWith('--')) await lab.pool.query(statement);
    }
    await waitFor(
      'the last row of the script',
      () => hook.at('/all').some(({ body }) => body.includes('"table":"t"') && body.includes('"value":2}')),
      ALL_MS,
    );
    await waitFor('the third attempt', () => hook.at('/flaky').length === 1, ALL_MS);
    for (const call of calls.slice(FIRST_CALLS)) answers.push(await answer(call));
  });

  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
    await hook[Symbol.asyncDispose]();
  });

  test.each(['/all', '/filtered', '/schema', '/messages', '/upsert', '/flaky'])(
    '%s gets the events of the recording, with every member, value and type',
    (path) => {
      const there = normalised(recordedBodies(path));
      const here = normalised(inOrder(hook.at(path)));
      expect(here.map(({ action, table }) => [action, table])).toEqual(
        there.map(({ action, table }) => [action, table]),
      );
      for (const [i, record] of there.entries())
        expect([i, here[i]]).toEqual([i, repaired(record, here[i]!)]);
    },
  );

  test('members come in the order of the recording', () => {
    const ours = new Set(inOrder(hook.at('/all')).map(memberOrder));
    expect(ours).toEqual(new Set(recordedBodies('/all').map(memberOrder)));
  });

  test("the LSN is in the header as in the body, and the key of idempotency is one event's alone", () => {
    for (const one of hook.at('/all')) {
      expect(one.headers['x-pgstream-lsn']).toBe(textOf(parseTree(dataOf(one))['lsn']));
    }
    const keys = hook.at('/all').map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('a call is answered as it was recorded, the known faults excepted', () => {
    /** What the original answers wrongly: see docs/webhooks.md. */
    const mended: Readonly<Record<string, string>> = {
      'unsubscribe an existing subscription': '200',
      'unsubscribe an existing filtered subscription': '200',
      'unsubscribe an unknown subscription': '200',
      'empty object': '400',
      'url without a scheme': '400',
      'empty body': '400',
    };
    for (const [i, { note, response }] of calls.entries()) {
      const recorded = essence(response);
      const expected = mended[note] ?? recorded[0];
      const [status, type, body] = essence(answers[i] ?? '');
      expect([note, status, type, wording(status, body)]).toEqual([
        note,
        expected,
        recorded[1],
        wording(expected, 'null\n'),
      ]);
    }
  });

  test('an empty list of event types means all, where the original sent nothing', () => {
    expect(inOrder(hook.at('/emptylist'))).toEqual(inOrder(hook.at('/all')));
  });

  test('who unsubscribed hears nothing more', async () => {
    const before = hook.at('/all').length;
    await lab.pool.query('INSERT INTO other.t VALUES (3)');
    await lab.pool.query("SELECT pg_logical_emit_message(true, 'golden', 'last')");
    await waitFor(
      'the message',
      () => hook.at('/messages').some(({ body }) => body.includes('"last"')),
      ALL_MS,
    );
    expect(hook.at('/all')).toHaveLength(before);
  });
});
