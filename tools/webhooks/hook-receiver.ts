import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Random } from '@pgstream/test-kit';

/** One request, as it came. */
export interface Arrival {
  readonly id: string;
  readonly arrivedMs: number;
  readonly isAccepted: boolean;
  /** As `webhook-attempt` says: 1 for the first of the process that sent it. */
  readonly attempt: number;
}

/** What a receiver does with a request: a status, or one of the ways to say nothing. */
export type Reaction = number | 'hang' | 'reset' | 'lose-answer';

/** An endpoint of somebody else: takes note of what comes and reacts as it was made to. */
export class HookReceiver {
  /** In the order of arrival. */
  readonly arrivals: Arrival[] = [];
  readonly acceptedIds = new Set<string>();
  readonly name: string;
  readonly #react: (id: string) => Reaction;
  readonly #server: Server;
  readonly #hanging = new Set<ServerResponse>();

  private constructor(name: string, react: (id: string) => Reaction) {
    this.name = name;
    this.#react = react;
    this.#server = createServer((request, response) => {
      request.resume().on('end', () => this.#answer(request, response));
    });
  }

  static async start(name: string, react: (id: string) => Reaction = () => 200): Promise<HookReceiver> {
    const receiver = new HookReceiver(name, react);
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${this.name}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer({ headers, socket }: IncomingMessage, response: ServerResponse): void {
    const id = String(headers['webhook-id']);
    const reaction = this.#react(id);
    const isStatus = typeof reaction === 'number';
    const isAccepted = reaction === 'lose-answer' || (isStatus && reaction >= 200 && reaction < 300);
    this.arrivals.push({
      id,
      arrivedMs: performance.now(),
      isAccepted,
      attempt: Number(headers['webhook-attempt']),
    });
    if (isAccepted) this.acceptedIds.add(id);
    if (isStatus) response.writeHead(reaction).end();
    else if (reaction === 'hang')
      this.#hanging.add(response.on('close', () => this.#hanging.delete(response)));
    else socket.resetAndDestroy();
  }
}

/** Away for a while, again and again; one of eight events is refused while the clock says so. */
function away(id: string): Reaction {
  const phase = performance.now() % 6_000;
  if (phase < 1_200) return 503;
  return phase < 4_000 && /[08]$/.test(id.replace(/-\w+$/, '')) ? 422 : 200;
}

/** Two that work, one that stumbles, one that hangs and loses answers, one that is away at times and refuses a row. */
export async function unevenReceivers(random: Random): Promise<HookReceiver[]> {
  const share = (part: number) => random.next() < part;
  const stumbling = () => (share(0.2) ? random.pick([500, 503, 429, 408, 302]) : 200);
  const hanging = (): Reaction =>
    share(0.04) ? 'hang' : share(0.05) ? 'reset' : share(0.05) ? 'lose-answer' : 200;
  return await Promise.all([
    HookReceiver.start('steady'),
    HookReceiver.start('updates'),
    HookReceiver.start('stumbling', stumbling),
    HookReceiver.start('hanging', hanging),
    HookReceiver.start('away', away),
  ]);
}
