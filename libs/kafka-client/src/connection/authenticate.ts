import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import { WireWriter } from '../protocol/wire.ts';
import type { BrokerConnection } from './broker-connection.ts';
import type { KafkaSaslOptions } from './kafka-connection.ts';
import { refusal } from './kafka-errors.ts';
import { scramAuthenticate } from './scram.ts';

const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;

/** @throws {PipelineError} `KAFKA_AUTH_FAILED` unless the broker accepts the credentials. */
export async function authenticate(connection: BrokerConnection, sasl: KafkaSaslOptions): Promise<void> {
  await handshake(connection, sasl.mechanism.toUpperCase());
  const exchange = async (message: Buffer) => await send(connection, message);
  const { mechanism, username, password } = sasl;
  if (mechanism === 'plain') {
    await exchange(Buffer.from(`\0${username}\0${password}`));
    return;
  }
  try {
    const hash = mechanism === 'scram-sha-256' ? 'sha256' : 'sha512';
    await scramAuthenticate({ hash, username, password }, exchange);
  } catch (cause) {
    if (cause instanceof PipelineError) throw cause;
    throw new PipelineError('KAFKA_AUTH_FAILED', {
      cause,
      detail: cause instanceof Error ? `${cause.message}.` : '',
    });
  }
}

async function handshake(connection: BrokerConnection, mechanism: string): Promise<void> {
  const body = new WireWriter().string(mechanism).finish();
  const answer = await connection.request({ key: SASL_HANDSHAKE, version: 1, body });
  const code = answer.int16();
  if (code === 0) return;
  const offered = answer.array(() => answer.string() ?? '').join(', ');
  throw refusal(
    code,
    `Broker ${connection.address} does not offer ${mechanism} (it offers: ${offered || 'none'})`,
  );
}

async function send(connection: BrokerConnection, message: Buffer): Promise<Buffer> {
  const body = new WireWriter().bytes(message).finish();
  const answer = await connection.request({ key: SASL_AUTHENTICATE, version: 0, body });
  const code = answer.int16();
  const reason = answer.string();
  if (code !== 0) throw refusal(code, `Broker ${connection.address} said "${reason ?? ''}"`);
  return answer.bytes() ?? Buffer.alloc(0);
}
