import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import { build as pretty } from 'pino-pretty';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** `console` is for people, `json` for programs. */
  readonly format: 'console' | 'json';
  readonly color: boolean;
  /** Where the lines go: 1 is standard output, 2 standard error (when standard output carries records). */
  readonly fd?: 1 | 2;
}

/**
 * Lines carry facts: ids, counts, positions, durations. Never values of rows, never credentials.
 * Errors are logged as `err`, with their code, detail and cause.
 */
export function createLog(name: string, options: LogOptions): Logger {
  const settings = { name, level: options.level, timestamp: stdTimeFunctions.isoTime, base: { name } };
  return pino(settings, destination(options));
}

function destination({ format, color, fd = 1 }: LogOptions): DestinationStream {
  if (format === 'json') return pino.destination({ dest: fd, sync: true });
  return pretty({
    destination: fd,
    sync: true,
    colorize: color,
    ignore: 'pid,hostname,name',
    translateTime: 'SYS:HH:MM:ss.l',
    errorProps: 'code,detail,facts',
  });
}

export type { Logger };
