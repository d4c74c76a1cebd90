import type { Kind } from './kinds.ts';

/** One setting: everything that is known about it, once. The documentation is printed from it. */
export interface Setting<T> {
  readonly kind: Kind<NonNullable<T>>;
  /** The environment variable, which is also its name in messages. */
  readonly env: string;
  /** Older or other names of the variable. */
  readonly aliases?: readonly string[];
  /** `--opensearch-url`; the first is shown in help. */
  readonly flags?: readonly string[];
  /** Where it stands in a YAML file: `source.postgres.url`. */
  readonly yaml?: readonly string[];
  readonly doc: string;
  /** `null`: not set, and that means something. */
  readonly default: T;
  /** Never printed: passwords, and URLs that hold one. */
  readonly sensitive?: boolean;
}

/** Groups of settings. The configuration has the same form, with values in place of settings. */
export interface Settings {
  // oxlint-disable-next-line typescript/no-explicit-any -- a table of settings of every type
  readonly [name: string]: Setting<any> | Settings;
}

export type ConfigOf<S> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : ConfigOf<S[K]>;
};

/** A name that is known and not accepted. `PGSTREAM_WEBHOOK_*` stands for every variable with that beginning. */
export interface KnownName {
  readonly env: string;
  /** A YAML path; everything below it is meant too. */
  readonly yaml?: readonly string[];
  readonly why: string;
}

export interface SettingTable<S extends Settings> {
  readonly settings: S;
  /** Settings of features that do not exist here: using one is a fault. */
  readonly refused: readonly KnownName[];
  /** Settings that have no effect here: using one is a warning. */
  readonly ignored: readonly KnownName[];
}

/** A setting with a default. */
export function setting<T>(kind: Kind<T>, entry: Omit<Setting<NoInfer<T>>, 'kind'>): Setting<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no kind produces null
  return { ...entry, kind: kind as Kind<NonNullable<T>> };
}

/** A setting that may be absent. */
export function optional<T>(
  kind: Kind<T>,
  entry: Omit<Setting<NoInfer<T>>, 'kind' | 'default'>,
): Setting<T | null> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no kind produces null
  return { ...entry, kind: kind as Kind<NonNullable<T>>, default: null };
}

export interface NamedSetting {
  /** `kafka.topic.name` */
  readonly path: string;
  readonly setting: Setting<unknown>;
}

/** Every setting of the groups, in order of declaration. */
export function flatten(settings: Settings, prefix = ''): NamedSetting[] {
  return Object.entries(settings).flatMap(([name, entry]) => {
    const path = `${prefix}${name}`;
    return isSetting(entry) ? [{ path, setting: entry }] : flatten(entry, `${path}.`);
  });
}

function isSetting(entry: Setting<unknown> | Settings): entry is Setting<unknown> {
  return typeof entry['env'] === 'string';
}
