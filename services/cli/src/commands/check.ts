import { checkEverything, type CheckItem } from '@pgstream/assembly';
import type { Command } from 'commander';
import { invocationOf, type CliContext, type Done } from '../cli-context.ts';
import { addSettingFlags } from '../flags.ts';
import type { Printer } from '../output/printer.ts';

export function addCheck(program: Command, context: CliContext, done: Done): void {
  const command = program
    .command('check')
    .description(
      'everything that could stop or harm streaming, with the remedy; exit code 78 when something would',
    );
  addSettingFlags(command, 'run');
  command.action(async () => {
    const { config, printer } = invocationOf(command, context, 'none');
    const items = await checkEverything(config);
    printer.result(describe(items, printer), { checks: items });
    if (items.some(({ ok, severity }) => !ok && severity === 'error')) done.exitCode = 78;
  });
}

function describe(items: readonly CheckItem[], printer: Printer): string {
  if (items.length === 0)
    return 'nothing is configured: name a source or a target, see docs/configuration.md';
  return items
    .flatMap(({ part, name, ok, severity, detail, remedy }) => [
      `${printer.mark(ok, severity).padEnd(4)}  ${part}: ${name}: ${detail}`,
      ...(ok || remedy === null ? [] : [`      ${remedy}`]),
    ])
    .join('\n');
}
