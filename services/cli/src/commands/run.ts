import { routeOf, runRoute } from '@pgstream/assembly';
import { PipelineError } from '@pgstream/failure';
import { createLog, runService } from '@pgstream/service-runtime';
import type { Command } from 'commander';
import { invocationOf, type CliContext, type Done } from '../cli-context.ts';
import { addRefusedFlags, addSettingFlags } from '../flags.ts';
import { initialise } from './init.ts';

export function addRun(program: Command, context: CliContext, done: Done): void {
  const command = program
    .command('run')
    .description('stream changes from the source to the target until told to stop')
    .option('--init', 'prepare the database first, as `pgstream init` does')
    .option('--with-injector', 'known from the original; schema records are always produced');
  addSettingFlags(command, 'run');
  addRefusedFlags(command);
  command.action(async () => {
    const invocation = invocationOf(command, context, 'route');
    const { config, warnings, given } = invocation;
    const { level, format, noColor } = config.log;
    // Standard output may carry the records, so the log never goes there.
    const log = createLog('pgstream', {
      level,
      format,
      color:
        !noColor && context.terminal.stderr.isTTY === true && context.terminal.env['NO_COLOR'] === undefined,
      fd: 2,
    });
    for (const warning of warnings) log.warn(warning);
    const route = routeOf(config);
    if ('faults' in route) throw new PipelineError('CONFIG_INVALID', { detail: route.faults.join('; ') });
    if (command.opts()['init'] === true && route.source === 'postgres')
      await initialise(invocation, context, {});
    done.exitCode = await runService({
      log,
      shutdownTimeoutMs: config.route.shutdownTimeoutMs,
      main: (service) =>
        runRoute({
          config,
          route,
          service,
          version: context.version,
          stdout: context.terminal.stdout,
          health: given.has('health.address') || config.metrics.enabled === true,
        }),
    });
  });
}
