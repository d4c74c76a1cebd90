import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeRecord } from '@pgstream/wal-event';
import { change } from '../../test/records.ts';
import { AddressGuard } from '../send/address-guard.ts';
import { Sender, type SendResult } from '../send/sender.ts';
import type { Subscription } from '../subscription.ts';
import { DEFAULT_CIRCUIT } from './circuit.ts';
import { Endpoint, type Outgoing, type OutgoingSource } from './endpoint.ts';
import { EventBudget, LogEvent } from './log-event.ts';
import { Slots } from './slots.ts';

const budget = new EventBudget(1_000_000);
let receiver: Server;
let sender: Sender;
let received = 0;
/** `false`: nothing is said, and after ten requests it tells whoever waits for that. */
let answers = true;

beforeEach(async () => {
  [received, answers] = [0, true];
  receiver = createServer((_, answer) => {
    received++;
    if (answers) answer.end();
    else if (received === 10) receiver.emit('hung');
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  sender = new Sender({
    guard: new AddressGuard({ allow: ['127.0.0.1'], httpsOnly: false, setting: 'ALLOW' }),
  });
});
afterEach(async () => {
  await sender.close();
  receiver.closeAllConnections();
  receiver.close();
});

function endpointOf(slots: Slots, ratePerSecond: number | null) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const { port } = receiver.address() as AddressInfo;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what sending asks of one
  const subscription = {
    id: 's',
    url: `http://127.0.0.1:${port}/`,
    legacy: null,
    filters: [],
    format: 'standard',
    maxInFlight: 10,
    ratePerSecond,
    timeoutMs: 60_000,
    headers: {},
    tls: null,
    secrets: [],
  } as unknown as Subscription;
  const events: string[] = [];
  const endpoint = new Endpoint(subscription, {
    sender,
    slots,
    circuit: DEFAULT_CIRCUIT,
    version: '0',
    observer: {},
    onAttempted: () => {},
    onOpened: () => events.push('opened'),
    onClosed: () => {},
    onGone: () => {},
  });
  return { endpoint, events };
}

/** So many events that can be sent at once, and what became of them. */
class Events extends EventEmitter implements OutgoingSource {
  readonly partition = 0;
  readonly results: SendResult[] = [];
  #left: number;

  constructor(count: number) {
    super();
    this.#left = count;
  }

  get hasOutgoing(): boolean {
    return this.#left > 0;
  }

  takeOutgoing(): Outgoing {
    this.#left--;
    const event = new LogEvent({ offset: 0, commitTimeMs: 0, origin: 't' }, encodeRecord(change(1)), budget);
    return {
      event,
      attempt: 1,
      answered: (result) => {
        this.results.push(result);
        this.emit('answered');
      },
    };
  }
}

test('while others have all places in flight its rate is not used up', async () => {
  const slots = new Slots(1);
  slots.take(() => {});
  // A second's worth is one event: the next would come after 100 seconds.
  const { endpoint } = endpointOf(slots, 0.01);
  const source = new Events(1);
  endpoint.add(source);
  for (let i = 0; i < 3; i++) {
    endpoint.wake();
    // oxlint-disable-next-line no-await-in-loop -- each wake by itself
    await new Promise(setImmediate);
  }
  expect(received).toBe(0);
  slots.giveBack();
  await once(source, 'answered');
  expect(source.results).toMatchObject([{ status: 200 }]);
  endpoint.stop();
});

test('what is cut off when the process ends opens no circuit', async () => {
  answers = false;
  const { endpoint, events } = endpointOf(new Slots(100), null);
  const source = new Events(10);
  endpoint.add(source);
  endpoint.wake();
  await once(receiver, 'hung');
  endpoint.stop();
  await sender.close();
  expect(source.results.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => null));
  expect(events).toEqual([]);
});
