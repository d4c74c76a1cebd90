import type { Buffer } from 'node:buffer';
import kafkajs, { type Kafka, type KafkaConfig, type LogEntry } from 'kafkajs';
import { framedSocket } from './framed-socket.ts';
import { zstdCompress, zstdDecompressSync } from '../protocol/zstd.ts';

/** How to reach a Kafka cluster; the same for the producer, the consumers and administration. */
export interface KafkaConnectionOptions {
  /** `host:port`, the brokers to ask first. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: KafkaTlsOptions;
  readonly sasl?: KafkaSaslOptions;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** PEM text, not file names. */
export interface KafkaTlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface KafkaSaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** One line of the client library, for the process's own log. `extra` holds no record values. */
export interface KafkaLogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
  readonly extra: Readonly<Record<string, unknown>>;
}

const ZSTD = 4;
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

/** A client for administration and consumers. The producing side speaks the protocol itself, see `Cluster`. */
export function createKafka(options: KafkaConnectionOptions, onLog: (line: KafkaLogLine) => void): Kafka {
  registerZstd();
  // The notice concerns the library's own producer, which we do not use.
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] ??= '1';
  const config: KafkaConfig = {
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: options.connectionTimeoutMs,
    authenticationTimeout: options.connectionTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    // What calls itself retries beyond this has its own rule; a broker that is back is noticed within a second.
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 6 },
    socketFactory: framedSocket,
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => (entry) => onLog(logLine(entry)),
  };
  if (options.tls !== undefined) config.ssl = { ...options.tls };
  if (options.sasl !== undefined) config.sasl = saslOptions(options.sasl);
  return new kafkajs.Kafka(config);
}

/** The library's type ties each mechanism to its own object; ours has one shape for all three. */
function saslOptions({ mechanism, username, password }: KafkaSaslOptions): NonNullable<KafkaConfig['sasl']> {
  if (mechanism === 'plain') return { mechanism, username, password };
  if (mechanism === 'scram-sha-256') return { mechanism, username, password };
  return { mechanism, username, password };
}

function logLine(entry: LogEntry): KafkaLogLine {
  const { timestamp: _timestamp, message, logger: _logger, ...rest } = entry.log;
  return { level: levelName(entry.level), message, extra: { ...rest, namespace: entry.namespace } };
}

function levelName(level: LogEntry['level']): KafkaLogLine['level'] {
  const { ERROR, WARN, INFO, NOTHING } = kafkajs.logLevel;
  if (level === ERROR || level === NOTHING) return 'error';
  if (level === WARN) return 'warn';
  return level === INFO ? 'info' : 'debug';
}

interface Encodable {
  readonly buffer: Buffer;
}

/** The library's own fetch is not used; its producer side never is. */
function registerZstd(): void {
  kafkajs.CompressionCodecs[ZSTD] = () => ({
    compress: (encoder: Encodable) => zstdCompress(encoder.buffer),
    // oxlint-disable-next-line typescript/require-await -- the library awaits it
    decompress: async (bytes: Buffer) => zstdDecompressSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES }),
  });
}
