import type { Buffer } from 'node:buffer';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A network that changes what the server says: each chunk passes through `edit` on its way to the client. */
export class EditingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: URL, edit: (chunk: Buffer) => void) {
    this.#server = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname);
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
      }
      client.on('data', (chunk) => upstream.write(chunk));
      upstream.on('data', (chunk: Buffer) => {
        edit(chunk);
        client.write(chunk);
      });
    });
  }

  static async start(url: string, edit: (chunk: Buffer) => void): Promise<EditingProxy> {
    const proxy = new EditingProxy(new URL(url), edit);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** The same database, through here. */
  urlOf(url: string): string {
    const bound = this.#server.address();
    const through = new URL(url);
    through.port = bound === null || typeof bound === 'string' ? '' : String(bound.port);
    return through.href;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
