import { PipelineError } from '@pgstream/failure';
import type { Terminal } from '../terminal.ts';

/** Results go to standard output, everything about getting them to standard error. */
export class Printer {
  readonly json: boolean;
  readonly color: boolean;
  readonly #terminal: Terminal;

  constructor(terminal: Terminal, options: { readonly json: boolean; readonly color: boolean }) {
    this.#terminal = terminal;
    this.json = options.json;
    this.color = options.color && terminal.stdout.isTTY === true && terminal.env['NO_COLOR'] === undefined;
  }

  /** The result of the command: text for people, or `value` as JSON for programs. */
  result(text: string, value: unknown): void {
    this.#terminal.stdout.write(`${this.json ? JSON.stringify(value, null, 2) : text}\n`);
  }

  note(text: string): void {
    this.#terminal.stderr.write(`${text}\n`);
  }

  /** What happened, then what to do. Only an unknown failure shows its stack. */
  error(error: unknown): void {
    if (error instanceof PipelineError && error.code !== 'UNCLASSIFIED') {
      const { code, message, action } = error;
      const cause = error.cause instanceof Error ? error.cause.message : undefined;
      if (this.json)
        this.#terminal.stdout.write(
          `${JSON.stringify({ error: { code, message, action, cause } }, null, 2)}\n`,
        );
      else
        this.note(
          [
            this.#red(message),
            ...(cause === undefined ? [] : [`  cause: ${cause}`]),
            `  what to do: ${action}`,
          ].join('\n'),
        );
    } else {
      this.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  #red(text: string): string {
    return this.color ? `\u001B[31m${text}\u001B[0m` : text;
  }

  mark(ok: boolean, severity: 'error' | 'warning' | 'info'): string {
    if (ok) return this.#paint('ok', 32);
    if (severity === 'error') return this.#paint('FAIL', 31);
    return severity === 'warning' ? this.#paint('warn', 33) : 'info';
  }

  #paint(text: string, code: number): string {
    return this.color ? `\u001B[${code}m${text}\u001B[0m` : text;
  }
}
