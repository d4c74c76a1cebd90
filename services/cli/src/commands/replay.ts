import { replayFile } from '@pgstream/assembly';
import { exitCodeOf } from '@pgstream/service-runtime';
import type { Command } from 'commander';
import { invocationOf, type CliContext, type Done } from '../cli-context.ts';

export function addReplay(program: Command, context: CliContext, done: Done): void {
  const command = program
    .command('replay <file>')
    .description('decode a file of the flight recorder without a database: its records, and where it fails')
    .option('--no-records', 'only say where it fails; the records hold values of rows');
  command.action(async (file: string) => {
    const { printer } = invocationOf(command, context, 'none');
    const { stdout } = context.terminal;
    const shown = command.opts()['records'] !== false && !printer.json;
    const { error, description, recorded, ...counts } = replayFile(file, (value) => {
      if (shown) stdout.write(`${value.toString()}\n`);
    });
    const { frames, records, transactions, passedBytes, reproduced } = counts;
    if (printer.json) {
      const failure =
        error === null ? null : { code: error.code, message: error.message, facts: error.facts };
      printer.result('', { description, recorded, ...counts, error: failure });
    } else {
      printer.note(description);
      if (passedBytes > 0) printer.note(`${passedBytes} bytes in front of the first whole message`);
      printer.note(`${frames} frames, ${transactions} transactions, ${records} records`);
      if (error === null) printer.note(`decoded to the end; it was recorded for: ${recorded}`);
      else printer.error(error);
      if (error !== null) printer.note(reproduced ? 'as recorded' : `recorded was: ${recorded}`);
    }
    if (error !== null) done.exitCode = exitCodeOf(error);
    await Promise.resolve();
  });
}
