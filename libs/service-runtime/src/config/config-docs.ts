import {
  flatten,
  type KnownName,
  type NamedSetting,
  type Setting,
  type Settings,
  type SettingTable,
} from './setting.ts';

/** One section per group of the table, for `docs/configuration.md`. */
export function configTables(settings: Settings, titles: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([group, entry]) => {
      const rows = flatten({ [group]: entry }).map(row);
      return [
        `## ${titles[group] ?? group}`,
        '',
        '| Variable | Flag, YAML | Default | Accepts | Meaning |',
        '| --- | --- | --- | --- | --- |',
        ...rows,
      ].join('\n');
    })
    .join('\n\n');
}

/** The refused and the ignored names as Markdown tables. */
export function knownNameTables(table: SettingTable<Settings>): string {
  return [
    section('Refused settings', 'Using one of these stops the process with exit code 78.', table.refused),
    section(
      'Ignored settings',
      'These are known and have no effect here; using one prints a warning.',
      table.ignored,
    ),
  ].join('\n\n');
}

function row({ setting }: NamedSetting): string {
  const names = [setting.env, ...(setting.aliases ?? [])].map((name) => `\`${name}\``).join('<br>');
  const others = [...(setting.flags ?? []), ...(setting.yaml ?? [])]
    .map((name) => `\`${name}\``)
    .join('<br>');
  return `| ${names} | ${others} | ${shownDefault(setting)} | ${cell(setting.kind.accepts)} | ${cell(setting.doc)} |`;
}

function shownDefault(setting: Setting<unknown>): string {
  if (setting.default === null || setting.default === undefined) return '_unset_';
  if (setting.sensitive === true) return '_secret_';
  return `\`${setting.kind.format(setting.default)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}

function section(title: string, intro: string, names: readonly KnownName[]): string {
  const rows = names.map(({ env, why }) => `| \`${env}\` | ${cell(why)} |`);
  return [`## ${title}`, '', intro, '', '| Variable | Why |', '| --- | --- |', ...rows].join('\n');
}
