import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';

/** A record of a topic. Bytes that may be no text are base64. */
export interface TopicRecord {
  readonly partition: number;
  readonly timestamp: string;
  readonly key: string | null;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface CommittedOffset {
  readonly partition: number;
  readonly offset: string;
  readonly metadata: string;
}

export interface IndexFixture {
  readonly name: string;
  readonly aliases: object;
  readonly mappings: object;
  /** Sources as text, so that numbers keep their digits. */
  readonly documents: readonly { readonly id: string; readonly version: string; readonly source: string }[];
}

/** Everything that one version of the product has written, outside its own memory. */
export interface StateFixture {
  /** Rows of the tables of schema pgstream, by name. */
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
  readonly log: readonly TopicRecord[];
  readonly offsets: readonly CommittedOffset[];
  readonly deadLetters: readonly TopicRecord[];
  /** Of tables, and our own: history, table states, parked documents. */
  readonly indices: readonly IndexFixture[];
}

/** Stands in fixtures for what each run names differently: database, slot, topic, schema, indices. */
const PLACEHOLDER = 'statefixture';
export const FIXTURES = join(workspaceRoot(), 'tools/system/fixtures');

export function writeFixture(version: string, prefix: string, state: StateFixture): void {
  const dir = join(FIXTURES, `state-${version}`);
  mkdirSync(dir, { recursive: true });
  for (const [name, part] of Object.entries(state)) {
    const text = `${JSON.stringify(part, null, 1)}\n`;
    writeFileSync(join(dir, `${name}.json`), text.replaceAll(prefix, PLACEHOLDER));
  }
}

/** The fixture of a version, under names of this run. */
export function readFixture(version: string, prefix: string): StateFixture {
  const dir = join(FIXTURES, `state-${version}`);
  const part = (name: keyof StateFixture): never => {
    const text = readFileSync(join(dir, `${name}.json`), 'utf8').replaceAll(PLACEHOLDER, prefix);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by writeFixture
    return JSON.parse(text) as never;
  };
  return {
    tables: part('tables'),
    log: part('log'),
    offsets: part('offsets'),
    deadLetters: part('deadLetters'),
    indices: part('indices'),
  };
}

/** Versions whose state is kept, oldest first. */
export function fixtureVersions(): string[] {
  return readdirSync(FIXTURES)
    .filter((name) => name.startsWith('state-'))
    .map((name) => name.slice('state-'.length))
    .toSorted();
}
