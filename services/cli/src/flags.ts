import { REFUSED_FLAGS, SETTINGS } from '@pgstream/assembly';
import { PipelineError } from '@pgstream/failure';
import { flatten } from '@pgstream/service-runtime';
import { Option, type Command } from 'commander';

/** Flags of the original that name the address of whatever source and target are. */
const ROUTE_URLS = [
  new Option('--source-url <url>', 'address of the source: a PostgreSQL URL, or brokers'),
  new Option('--target-url <url>', 'address of the target: brokers, or a URL'),
];

/** Settings that only some commands have as flags; all others are set by file or environment. */
export type FlagGroup = 'log' | 'postgres' | 'admin' | 'run' | 'kafka' | 'search' | 'webhooks';

const GROUPS: Readonly<Record<FlagGroup, (path: string) => boolean>> = {
  log: (path) => path.startsWith('log.'),
  postgres: (path) => path === 'postgres.url' || path === 'postgres.slotName',
  admin: (path) => path === 'postgres.adminUrl',
  run: (path) => !path.startsWith('log.') && path !== 'postgres.adminUrl' && path !== 'webhook.apiUrl',
  kafka: (path) => path.startsWith('kafka.'),
  search: (path) => path.startsWith('search.'),
  webhooks: (path) => path === 'webhook.apiUrl' || path === 'webhook.token',
};

interface FlagSpec {
  readonly flags: readonly string[];
  readonly isBoolean: boolean;
  readonly doc: string;
}

const SPECS: ReadonlyMap<string, FlagSpec> = new Map(
  flatten(SETTINGS).flatMap(({ path, setting: { flags = [], doc, kind } }) =>
    flags.length === 0
      ? []
      : [[path, { flags, doc, isBoolean: kind.accepts.startsWith('true or false') }] as const],
  ),
);

/** The flags of these groups, each once. The first name is shown in help, the others are accepted. */
export function addSettingFlags(command: Command, ...groups: readonly FlagGroup[]): void {
  const added = new Set<string>();
  for (const [path, { flags, doc, isBoolean }] of SPECS) {
    if (!groups.some((group) => GROUPS[group](path))) continue;
    for (const [index, flag] of flags.entries()) {
      if (added.has(flag)) continue;
      added.add(flag);
      command.addOption(settingOption(flag, doc, isBoolean).hideHelp(index > 0));
    }
  }
  if (groups.includes('run')) for (const option of ROUTE_URLS) command.addOption(option);
}

function settingOption(flag: string, doc: string, isBoolean: boolean): Option {
  if (flag.startsWith('--no-')) return new Option(flag, plain(doc));
  return new Option(`${flag} ${isBoolean ? '[true|false]' : '<value>'}`, plain(doc));
}

/** Help is no Markdown, and the whole text is in docs/configuration.md: one sentence is enough. */
function plain(doc: string): string {
  return doc
    .replaceAll('`', '')
    .replace(/([.;:]) .*$/s, '$1')
    .replace(/[;:]$/, '.');
}

/** Flags of features that this version does not have: accepted by the parser, so that they can be refused by name. */
export function addRefusedFlags(command: Command): void {
  const known = new Set(command.options.map((option) => option.long));
  for (const flag of REFUSED_FLAGS.keys()) {
    if (!known.has(flag)) command.addOption(new Option(`${flag} [value...]`).hideHelp());
  }
}

/** @throws {PipelineError} FEATURE_NOT_AVAILABLE naming every refused flag that was given. */
export function assertNoRefusedFlags(command: Command): void {
  const given = command.options.filter(
    (option) =>
      REFUSED_FLAGS.has(option.long ?? '') && command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given.length === 0) return;
  const lines = given.map(({ long }) => `\n  - ${long}: ${REFUSED_FLAGS.get(long ?? '') ?? ''}`);
  throw new PipelineError('FEATURE_NOT_AVAILABLE', { detail: lines.join('') });
}

/** The settings that were given as flags, on the command or before it. */
export function givenFlags(command: Command): Map<string, string> {
  const given = new Map<string, string>();
  const known = new Set(
    [...SPECS.values()].flatMap(({ flags }) => flags).concat('--source-url', '--target-url'),
  );
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const option of at.options) {
      const flag = option.long ?? '';
      if (!known.has(flag) || given.has(flag)) continue;
      const name = option.attributeName();
      if (at.getOptionValueSource(name) !== 'cli') continue;
      const value: unknown = at.getOptionValue(name);
      given.set(flag, flag === '--no-color' ? 'true' : String(value));
    }
  }
  return given;
}
