import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

const UNKNOWN_TOPIC = 3;

export interface ForgetfulBroker extends AsyncDisposable {
  isForgetful: boolean;
  readonly address: string;
}

/**
 * In front of a broker: while it is forgetful, its metadata say that it does not know the topic, as those of a broker
 * do that has not heard of a new topic yet.
 */
export async function forgetfulBroker(upstream: string, topic: string): Promise<ForgetfulBroker> {
  const [host = '', port = ''] = upstream.split(':');
  const sockets = new Set<Socket>();
  const broker = { isForgetful: true, address: '' };
  const server = createServer((client) => {
    const real = connect(Number(port), host);
    for (const socket of [client, real]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        real.destroy();
      });
    }
    client.pipe(real);
    real.on('data', (bytes) => client.write(broker.isForgetful ? forgotten(bytes, topic) : bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  broker.address = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return Object.assign(broker, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
}

/** The error code stands in front of the name, whose length has two bytes, or one in the compact form. */
function forgotten(bytes: Buffer, topic: string): Buffer {
  const answer = Buffer.from(bytes);
  for (let at = answer.indexOf(topic); at >= 4; at = answer.indexOf(topic, at + 1)) {
    const isCompact = answer[at - 1] === topic.length + 1;
    const code = isCompact ? at - 3 : at - 4;
    if (answer.readInt16BE(code) === 0) answer.writeInt16BE(UNKNOWN_TOPIC, code);
  }
  return answer;
}
