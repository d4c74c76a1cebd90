import { loadConfig, type ConfigSources, type LoadedConfig } from '@pgstream/service-runtime';
import { checkConfig, type ConfigNeed } from './check-config.ts';
import type { SourceName, TargetName } from './process-settings.ts';
import { SETTING_TABLE, type PgstreamConfig, type SETTINGS } from './settings.ts';

export interface LoadPgstreamConfigOptions extends ConfigSources {
  readonly need: ConfigNeed;
  /** What a service is, whatever the settings say. */
  readonly fixed?: { readonly source: SourceName; readonly target: 'kafka' | 'search' | 'webhooks' };
}

/** @throws {PipelineError} CONFIG_INVALID or FEATURE_NOT_AVAILABLE, with every fault in one message. */
export function loadPgstreamConfig(options: LoadPgstreamConfigOptions): LoadedConfig<typeof SETTINGS> {
  const { need, fixed, ...sources } = options;
  const flags = expandFlags(sources.flags ?? new Map(), sources.env);
  const loaded = loadConfig(
    SETTING_TABLE,
    { ...sources, flags },
    { prefix: 'PGSTREAM_', check: ({ config }) => checkConfig(withFixed(config, fixed), need) },
  );
  return { ...loaded, config: withFixed(loaded.config, fixed) };
}

function withFixed(config: PgstreamConfig, fixed: LoadPgstreamConfigOptions['fixed']): PgstreamConfig {
  if (fixed === undefined) return config;
  const target: TargetName = fixed.target === 'search' ? searchTarget(config) : fixed.target;
  return { ...config, route: { ...config.route, source: fixed.source, target } };
}

function searchTarget({ search }: PgstreamConfig): TargetName {
  return search.opensearchUrl === null && search.elasticsearchUrl !== null ? 'elasticsearch' : search.engine;
}

/** `--source-url` and `--target-url` of the original mean the address of whatever source and target are. */
function expandFlags(
  flags: ReadonlyMap<string, string>,
  env: NodeJS.ProcessEnv,
): ReadonlyMap<string, string> {
  const expanded = new Map(flags);
  for (const [alias, flagFor] of [
    ['--source-url', sourceFlag],
    ['--target-url', targetFlag],
  ] as const) {
    const url = flags.get(alias);
    const flag = url === undefined ? undefined : flagFor(url, flags, env);
    if (url === undefined || flag === undefined) continue;
    expanded.delete(alias);
    // The original writes brokers as `kafka://host:port` too.
    expanded.set(flag, url.replace(/^kafka:\/\//, ''));
  }
  return expanded;
}

function sourceFlag(url: string, flags: ReadonlyMap<string, string>, env: NodeJS.ProcessEnv): string {
  const named = flags.get('--source') ?? env['PGSTREAM_SOURCE'];
  const isKafka = named === undefined ? !/^postgres(ql)?:/.test(url) : named === 'kafka';
  return isKafka ? '--kafka-servers' : '--postgres-url';
}

function targetFlag(
  url: string,
  flags: ReadonlyMap<string, string>,
  env: NodeJS.ProcessEnv,
): string | undefined {
  const named = flags.get('--target') ?? flags.get('--sink-type') ?? env['PGSTREAM_TARGET'];
  return TARGET_FLAGS[named ?? (/^https?:/.test(url) ? 'opensearch' : 'kafka')];
}

const TARGET_FLAGS: Readonly<Record<string, string>> = {
  kafka: '--kafka-servers',
  opensearch: '--opensearch-url',
  elasticsearch: '--elasticsearch-url',
  ndjson: '--file',
};
