import type { Buffer } from 'node:buffer';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';
import { FrameSplitter } from './frame-splitter.ts';

const KEEP_ALIVE_MS = 60_000;

/**
 * Sockets for the client library, which hand it whole answers only. The library keeps what it has of an unfinished answer
 * across a reconnect (tulios/kafkajs#715): the next connection's first bytes were taken for its rest, and what came of that ended
 * the process or could have passed for an answer. What is no answer at all ends the connection.
 */
export const framedSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  // The library passes none without TLS, whatever its types say.
  const isTls = Boolean(ssl);
  const socket = isTls
    ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return framed(socket, `${host}:${port}`);
};

function framed(socket: Socket, address: string): Socket {
  const on = socket.on.bind(socket);
  const splitter = new FrameSplitter();
  const whole = (listener: (frame: Buffer) => void) => (chunk: Buffer) => {
    const size = splitter.push(chunk, (frame) => {
      listener(frame);
      return !socket.destroyed;
    });
    if (size !== undefined)
      socket.destroy(new Error(`${address} sent an answer of ${size} bytes: no Kafka broker`));
  };
  const listen = (event: string, listener: (...args: unknown[]) => void) =>
    on(event, event === 'data' ? whole(listener) : listener);
  return Object.assign(socket, { on: listen });
}
