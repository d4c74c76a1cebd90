import { PipelineError } from '@pgstream/failure';
import convict from 'convict';
import { readConfigFile, type ConfigFile } from './config-file.ts';
import { nearest } from './nearest.ts';
import { flatten, type ConfigOf, type KnownName, type NamedSetting } from './setting.ts';
import type { Setting, Settings, SettingTable } from './setting.ts';

export interface ConfigSources {
  readonly env: NodeJS.ProcessEnv;
  /** An .env or YAML file; the environment wins over it. */
  readonly file?: string | undefined;
  /** Flag (`--opensearch-url`) to text; flags win over everything. */
  readonly flags?: ReadonlyMap<string, string>;
}

export interface LoadedConfig<S> {
  readonly config: ConfigOf<S>;
  readonly warnings: readonly string[];
  /** Paths (`kafka.topic.name`) that somebody set, as opposed to defaults. */
  readonly given: ReadonlySet<string>;
}

export interface LoadOptions<S> {
  /** What all of it must satisfy together; called when every single setting is well-formed. Returns faults. */
  readonly check?: (loaded: LoadedConfig<S>) => readonly string[];
  /** Variables that begin with this and are in no table are faults. */
  readonly prefix: string;
}

interface Given {
  readonly text: string;
  /** The highest rank wins: file, environment, flag; within one of them a variable's own name over an alias. */
  readonly rank: number;
  /** The name that was used, with its place: `PGSTREAM_X (pg2os.env:3)`. */
  readonly label: string;
}

/**
 * Defaults, then the file, then the environment, then flags.
 *
 * @throws {PipelineError} CONFIG_INVALID or FEATURE_NOT_AVAILABLE, with every fault in one message.
 */
export function loadConfig<S extends Settings>(
  table: SettingTable<S>,
  sources: ConfigSources,
  options: LoadOptions<S>,
): LoadedConfig<S> {
  const loading = new Loading(table, options.prefix);
  if (sources.file !== undefined) loading.file(readConfigFile(sources.file, sources.env));
  loading.environment(sources.env);
  for (const [flag, text] of sources.flags ?? []) loading.flag(flag, text);
  const loaded = loading.finish();
  const faults = [...loading.faults];
  if (faults.length === 0 && loading.refused.length === 0) faults.push(...(options.check?.(loaded) ?? []));
  throwFaults(faults, loading.refused);
  return loaded;
}

function throwFaults(faults: readonly string[], refused: readonly string[]): void {
  const all = [...refused, ...faults];
  if (all.length === 0) return;
  const detail = `\n${all.map((fault) => `  - ${withoutCredentials(fault)}`).join('\n')}`;
  throw new PipelineError(faults.length === 0 ? 'FEATURE_NOT_AVAILABLE' : 'CONFIG_INVALID', { detail });
}

type Origin = 'env' | 'yaml' | 'flag';

class Loading<S extends Settings> {
  readonly faults: string[] = [];
  readonly refused: string[] = [];
  readonly #warnings = new Set<string>();
  readonly #table: SettingTable<S>;
  readonly #prefix: string;
  readonly #named: readonly NamedSetting[];
  readonly #byEnv = new Map<string, NamedSetting[]>();
  readonly #byYaml = new Map<string, NamedSetting[]>();
  readonly #byFlag = new Map<string, NamedSetting[]>();
  readonly #given = new Map<string, Given>();

  constructor(table: SettingTable<S>, prefix: string) {
    this.#table = table;
    this.#prefix = prefix;
    this.#named = flatten(table.settings);
    for (const named of this.#named) {
      const { env, aliases = [], yaml = [], flags = [] } = named.setting;
      for (const name of [env, ...aliases]) append(this.#byEnv, name, named);
      for (const name of yaml) append(this.#byYaml, name, named);
      for (const name of flags) append(this.#byFlag, name, named);
    }
  }

  file(file: ConfigFile): void {
    this.faults.push(...file.faults);
    const names = file.format === 'yaml' ? this.#byYaml : this.#byEnv;
    for (const { name, text, origin } of file.entries) {
      // Other programs may share an .env file; our own prefix is ours.
      if (file.format === 'env' && !name.startsWith(this.#prefix)) continue;
      this.#take(names, name, { text, rank: 0, label: `${name} (${origin})` }, file.format);
    }
  }

  environment(env: NodeJS.ProcessEnv): void {
    for (const [name, text] of Object.entries(env)) {
      if (!name.startsWith(this.#prefix) || text === undefined) continue;
      this.#take(this.#byEnv, name, { text, rank: 2, label: name }, 'env');
    }
  }

  flag(flag: string, text: string): void {
    this.#take(this.#byFlag, flag, { text, rank: 4, label: flag }, 'flag');
  }

  #take(names: ReadonlyMap<string, NamedSetting[]>, name: string, given: Given, from: Origin): void {
    const meant = names.get(name);
    if (meant === undefined) {
      this.#unknown(names, name, given, from);
      return;
    }
    for (const { path, setting } of meant) {
      const rank = given.rank + (setting.aliases?.includes(name) === true ? 0 : 1);
      if (rank >= (this.#given.get(path)?.rank ?? 0)) this.#given.set(path, { ...given, rank });
    }
  }

  #unknown(names: ReadonlyMap<string, NamedSetting[]>, name: string, given: Given, from: Origin): void {
    const refused = this.#table.refused.find((known) => covers(known, name, from));
    const ignored = this.#table.ignored.find((known) => covers(known, name, from));
    if (refused !== undefined) {
      if (!isOff(given.text)) this.refused.push(`${given.label}: ${refused.why}`);
    } else if (ignored !== undefined) {
      this.#warnings.add(`${given.label} has no effect: ${ignored.why}`);
    } else {
      const near = nearest(name, names.keys());
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      this.faults.push(`${given.label} is not a setting of pgstream${hint}`);
    }
  }

  finish(): LoadedConfig<S> {
    const config = convict<Record<string, unknown>>(convictSchema(this.#table.settings), {
      env: {},
      args: [],
    });
    const givenPaths = new Set<string>();
    for (const { path, setting } of this.#named) {
      const given = this.#given.get(path);
      // As with the original, an empty value is the same as none.
      if (given === undefined || given.text.trim() === '') continue;
      givenPaths.add(path);
      try {
        config.set(path, setting.kind.parse(given.text));
      } catch {
        const shown = setting.sensitive === true ? '' : `; it is ${JSON.stringify(given.text)}`;
        this.faults.push(`${given.label} must be ${setting.kind.accepts}${shown}`);
      }
    }
    config.validate({ allowed: 'strict' });
    return {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the schema was made from the settings
      config: config.getProperties() as unknown as ConfigOf<S>,
      warnings: [...this.#warnings],
      given: givenPaths,
    };
  }
}

/** A URL in the wrong setting is a common mistake, and a log is no place for its password. */
function withoutCredentials(text: string): string {
  return text.replaceAll(/:\/\/[^\s/]*@/g, '://***@');
}

function append(map: Map<string, NamedSetting[]>, name: string, named: NamedSetting): void {
  map.set(name, [...(map.get(name) ?? []), named]);
}

/** A refused switch that is off, or empty, asks for nothing. */
function isOff(text: string): boolean {
  return ['', 'false', '0', 'off', 'no'].includes(text.trim().toLowerCase());
}

function covers(known: KnownName, name: string, from: Origin): boolean {
  if (from === 'flag') return false;
  if (from === 'yaml') return (known.yaml ?? []).some((path) => name === path || name.startsWith(`${path}.`));
  return known.env.endsWith('*') ? name.startsWith(known.env.slice(0, -1)) : name === known.env;
}

interface ConvictLeaf {
  readonly doc: string;
  readonly default: unknown;
  readonly nullable: boolean;
  readonly sensitive: boolean;
  readonly format: (value: unknown) => void;
}
interface ConvictGroup {
  [name: string]: ConvictLeaf | ConvictGroup;
}

/** Values are parsed by their kind before they are set, since convict's own coercions accept `12abc` as 12. */
function convictSchema(settings: Settings): ConvictGroup {
  const group: ConvictGroup = {};
  for (const [name, entry] of Object.entries(settings)) {
    group[name] = isLeaf(entry) ? convictLeaf(entry) : convictSchema(entry);
  }
  return group;
}

function convictLeaf(entry: Setting<unknown>): ConvictLeaf {
  return {
    doc: entry.doc,
    default: entry.default,
    nullable: entry.default === null,
    sensitive: entry.sensitive === true,
    format: (value) => {
      if (value === undefined) throw new Error(`${entry.env} has no value`);
    },
  };
}

function isLeaf(entry: Setting<unknown> | Settings): entry is Setting<unknown> {
  return typeof entry['env'] === 'string';
}
