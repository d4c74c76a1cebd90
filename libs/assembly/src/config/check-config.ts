import { existsSync } from 'node:fs';
import zlib from 'node:zlib';
import { failpointFaults } from './failpoints.ts';
import { urlFaults } from './postgres-urls.ts';
import { routeOf } from './route.ts';
import type { PgstreamConfig } from './settings.ts';

/** What a command needs: both ends joined, the source only, or nothing but well-formed settings. */
export type ConfigNeed = 'route' | 'postgres' | 'none';

/** What the settings must satisfy together. Returns faults, each naming settings and remedy. */
export function checkConfig(config: PgstreamConfig, need: ConfigNeed): readonly string[] {
  return [
    ...needFaults(config, need),
    ...urlFaults(config),
    ...tlsFaults('PGSTREAM_KAFKA_TLS', config.kafka.tls),
    ...tlsFaults('PGSTREAM_SEARCH_TLS', config.search.tls),
    ...saslFaults(config),
    ...searchFaults(config),
    ...retryFaults(config),
    ...compressionFaults(config),
    ...failpointFaults(config.route.failpoints),
  ];
}

function needFaults(config: PgstreamConfig, need: ConfigNeed): readonly string[] {
  if (need === 'postgres' && config.postgres.url === null) {
    return [
      'PGSTREAM_POSTGRES_LISTENER_URL (--postgres-url) is needed: the database whose changes are streamed',
    ];
  }
  if (need !== 'route') return [];
  const route = routeOf(config);
  return 'faults' in route ? route.faults : [];
}

interface TlsSettings {
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

function tlsFaults(prefix: string, { caFile, certFile, keyFile }: TlsSettings): readonly string[] {
  const faults: string[] = [];
  const files = [
    ['CA_CERT_FILE', caFile],
    ['CLIENT_CERT_FILE', certFile],
    ['CLIENT_KEY_FILE', keyFile],
  ] as const;
  for (const [name, file] of files) {
    if (file !== null && !existsSync(file)) faults.push(`${prefix}_${name}: there is no file ${file}`);
  }
  if ((certFile === null) !== (keyFile === null)) {
    faults.push(`${prefix}_CLIENT_CERT_FILE and ${prefix}_CLIENT_KEY_FILE belong together; only one is set`);
  }
  return faults;
}

function saslFaults({ kafka: { sasl } }: PgstreamConfig): readonly string[] {
  const { mechanism, user, password } = sasl;
  const set = [mechanism, user, password].filter((value) => value !== null).length;
  return set === 0 || set === 3
    ? []
    : [
        'PGSTREAM_KAFKA_SASL_MECHANISM, PGSTREAM_KAFKA_SASL_USER and PGSTREAM_KAFKA_SASL_PASSWORD belong together',
      ];
}

function searchFaults({ search }: PgstreamConfig): readonly string[] {
  const faults: string[] = [];
  if (search.index !== null && search.layout === 'pgstream') {
    faults.push(
      'PGSTREAM_SEARCH_INDEX (--opensearch-index) and PGSTREAM_SEARCH_LAYOUT=pgstream exclude each other',
    );
  }
  if (search.index === null && !search.indexTemplate.includes('{table}')) {
    faults.push(
      'PGSTREAM_SEARCH_INDEX_TEMPLATE needs {table}; for one index for everything set PGSTREAM_SEARCH_INDEX',
    );
  }
  if ((search.user === null) !== (search.password === null)) {
    faults.push('PGSTREAM_SEARCH_USER and PGSTREAM_SEARCH_PASSWORD belong together; only one is set');
  }
  return faults;
}

function retryFaults({ postgres, kafka, search }: PgstreamConfig): readonly string[] {
  const policies = [
    ['PGSTREAM_POSTGRES_LISTENER', postgres.retry],
    ['PGSTREAM_KAFKA_COMMIT', kafka.consumer.commitRetry],
    ['PGSTREAM_SEARCH_STORE', search.retry],
  ] as const;
  return policies.flatMap(([prefix, { initialMs, maxMs }]) =>
    initialMs <= maxMs
      ? []
      : [
          `${prefix}_EXP_BACKOFF_INITIAL_INTERVAL (${initialMs} ms) is above ${prefix}_EXP_BACKOFF_MAX_INTERVAL (${maxMs} ms)`,
        ],
  );
}

/** Whether this Node can compress with zstd: since 22.15 and 23.8. */
export const HAS_ZSTD = 'zstdCompress' in zlib;

function compressionFaults({ kafka }: PgstreamConfig): readonly string[] {
  return kafka.writer.compression === 'zstd' && !HAS_ZSTD
    ? [
        `PGSTREAM_KAFKA_WRITER_COMPRESSION=zstd needs Node 22.15 or newer; this is ${process.version}. Use none`,
      ]
    : [];
}
