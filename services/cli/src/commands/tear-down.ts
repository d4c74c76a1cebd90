import { tearDownDatabase } from '@pgstream/assembly';
import type { Command } from 'commander';
import { invocationOf, type CliContext } from '../cli-context.ts';
import { addSettingFlags } from '../flags.ts';

interface TearDownFlags {
  readonly force?: boolean;
  readonly migrationsOnly?: boolean;
  readonly slotOnly?: boolean;
}

export function addTearDown(program: Command, context: CliContext): void {
  const command = program
    .command('tear-down')
    .alias('destroy')
    .description(
      'take back what init made: slot, triggers, publications, replica identities, schema pgstream',
    )
    .option('--force', 'end the process that still reads the slot')
    .option('--migrations-only', 'leave slot and publications')
    .option('--slot-only', 'leave everything but the slot')
    .option('--with-injector', 'known from the original');
  addSettingFlags(command, 'postgres', 'admin');
  command.action(async () => {
    const { config, printer } = invocationOf(command, context, 'postgres');
    const { force, migrationsOnly, slotOnly } = command.opts<TearDownFlags>();
    const done = await tearDownDatabase(config, {
      force: force === true,
      ...(migrationsOnly === true ? { only: 'migrations' } : {}),
      ...(slotOnly === true ? { only: 'slot' } : {}),
    });
    printer.result(done.length === 0 ? 'nothing was left to take back' : done.join('\n'), { done });
  });
}
