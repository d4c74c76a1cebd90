import { Buffer } from 'node:buffer';
import { connect, createServer, type Socket } from 'node:net';

const PRODUCE = 0;

/**
 * A broker as seen through a network that loses answers: on the chosen Produce requests the connection is cut when the
 * broker's answer arrives here, so the records are in the log and the client cannot know. The broker's own address in
 * its answers is replaced by the proxy's, so that clients stay on it.
 */
export class CuttingProxy {
  cuts = 0;
  produces = 0;
  readonly #broker: { readonly host: string; readonly port: number };
  readonly #shouldCut: (produce: number) => boolean;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => this.#serve(client));

  constructor(broker: string, shouldCut: (produce: number) => boolean) {
    const [host = '', port = ''] = broker.split(':');
    this.#broker = { host, port: Number(port) };
    this.#shouldCut = shouldCut;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${this.#port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get #port(): number {
    const bound = this.#server.address();
    return bound === null || typeof bound === 'string' ? 0 : bound.port;
  }

  #serve(client: Socket): void {
    const upstream = connect(this.#broker);
    let requests = Buffer.alloc(0);
    let isCut = false;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    client.on('data', (chunk) => {
      upstream.write(chunk);
      requests = Buffer.concat([requests, chunk]);
      while (requests.length >= 6 && requests.length >= 4 + requests.readInt32BE(0)) {
        if (requests.readInt16BE(4) === PRODUCE && this.#shouldCut(++this.produces)) isCut = true;
        requests = requests.subarray(4 + requests.readInt32BE(0));
      }
    });
    upstream.on('data', (chunk) => {
      if (!isCut) return client.write(this.#readdressed(chunk));
      this.cuts += 1;
      return end();
    });
  }

  #readdressed(answer: Buffer): Buffer {
    const wanted = address(this.#broker.host, this.#broker.port);
    for (let at = answer.indexOf(wanted); at >= 0; at = answer.indexOf(wanted, at + 1)) {
      address(this.#broker.host, this.#port).copy(answer, at);
    }
    return answer;
  }
}

function address(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(host.length + 4);
  bytes.write(host);
  bytes.writeInt32BE(port, host.length);
  return bytes;
}
