import { PipelineError } from '@pgstream/failure';
import { createLog, logFailure, runService, type ExitCode, type Logger } from '@pgstream/service-runtime';
import { loadPgstreamConfig } from './config/load.ts';
import { routeOf } from './config/route.ts';
import type { PgstreamConfig } from './config/settings.ts';
import { runRoute } from './run-route.ts';

export interface StandaloneOptions {
  /** In every line of the log. */
  readonly name: string;
  readonly version: string;
  readonly source: 'postgres' | 'kafka';
  readonly target: 'kafka' | 'search' | 'webhooks';
  /** `-c FILE` or `--config FILE`; everything else comes from the environment. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** A service whose route is fixed: what its containers run. @returns the exit code. */
export async function runStandalone(options: StandaloneOptions): Promise<ExitCode> {
  const { name, version, source, target, env } = options;
  let config: PgstreamConfig;
  let log: Logger = createLog(name, { level: 'info', format: 'console', color: false });
  try {
    const loaded = loadPgstreamConfig({ env, ...fileOf(options), need: 'route', fixed: { source, target } });
    ({ config } = loaded);
    const { level, format, noColor } = config.log;
    log = createLog(name, { level, format, color: !noColor && process.stdout.isTTY });
    for (const warning of loaded.warnings) log.warn(warning);
  } catch (error) {
    logFailure(log, error);
    return error instanceof PipelineError ? error.exitCode : 1;
  }
  const route = routeOf(config);
  return await runService({
    log,
    shutdownTimeoutMs: config.route.shutdownTimeoutMs,
    main: async (service) => {
      if ('faults' in route) throw new PipelineError('CONFIG_INVALID', { detail: route.faults.join('; ') });
      await runRoute({ config, route, service, version, health: true, stdout: process.stdout });
    },
  });
}

function fileOf({ name, argv }: StandaloneOptions): { readonly file?: string } {
  const [flag, file, ...rest] = argv;
  if (flag === undefined) return {};
  if ((flag === '-c' || flag === '--config') && file !== undefined && rest.length === 0) return { file };
  throw new PipelineError('CONFIG_INVALID', {
    detail: `${name} takes only -c FILE; it was given: ${argv.join(' ')}`,
  });
}
