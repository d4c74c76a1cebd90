import { hostname } from 'node:os';
import { PipelineError } from '@pgstream/failure';
import type { KafkaConnectionOptions, KafkaLogLine } from '@pgstream/kafka-client';
import type { Logger } from '@pgstream/service-runtime';
import type { PgstreamConfig } from '../config/settings.ts';
import { pem } from './pem.ts';

const CONNECTION_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** @throws {PipelineError} CONFIG_INVALID where no brokers are named. */
export function kafkaConnection(config: PgstreamConfig, end: 'reader' | 'writer'): KafkaConnectionOptions {
  const { readerServers, writerServers, tls, sasl } = config.kafka;
  const brokers = end === 'reader' ? readerServers : writerServers;
  if (brokers === null) {
    throw new PipelineError('CONFIG_INVALID', {
      detail: `PGSTREAM_KAFKA_${end.toUpperCase()}_SERVERS is needed.`,
    });
  }
  const secured = tls.enabled || tls.caFile !== null || tls.certFile !== null;
  return {
    brokers,
    clientId: `pgstream-${hostname()}-${process.pid}`,
    connectionTimeoutMs: CONNECTION_TIMEOUT_MS,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    ...(secured
      ? { tls: { ...pem('ca', tls.caFile), ...pem('cert', tls.certFile), ...pem('key', tls.keyFile) } }
      : {}),
    ...(sasl.mechanism === null
      ? {}
      : { sasl: { mechanism: sasl.mechanism, username: sasl.user ?? '', password: sasl.password ?? '' } }),
  };
}

/** The client library is chatty about what it retries by itself: its information is our debugging. */
export function kafkaLog(log: Logger): (line: KafkaLogLine) => void {
  return ({ level, message, extra }) => {
    const shown = level === 'info' ? 'debug' : level;
    log[shown]({ kafka: extra }, message);
  };
}
