import { existsSync, readFileSync } from 'node:fs';
import { parse as parseDotenv } from 'dotenv';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';

/** One value of a file: where it stands, and its text as an environment variable would hold it. */
export interface FileEntry {
  /** A variable's name in an .env file, a dotted path in a YAML file. */
  readonly name: string;
  readonly text: string;
  /** `pg2os.env:3` */
  readonly origin: string;
}

export interface ConfigFile {
  readonly format: 'env' | 'yaml';
  readonly entries: readonly FileEntry[];
  /** What is wrong, each with file and line. */
  readonly faults: readonly string[];
}

/** Reads an .env or a YAML file (by its name). Faults are returned, so that they are listed with all others. */
export function readConfigFile(path: string, env: NodeJS.ProcessEnv): ConfigFile {
  const format = /\.ya?ml$/i.test(path) ? 'yaml' : 'env';
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = existsSync(path) ? `cannot be read: ${String(error)}` : 'there is no such file';
    return { format, entries: [], faults: [`-c/--config ${path}: ${reason}`] };
  }
  const file = format === 'yaml' ? readYamlOfAnyDepth(path, text) : readEnv(path, text);
  return file.faults.length > 0 ? file : substituted(file, env);
}

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*(?:=\s*|:\s+)(.*)$/;

function readEnv(path: string, text: string): ConfigFile {
  const { lineOf, faults } = checkLines(path, text);
  if (faults.length > 0) return { format: 'env', entries: [], faults };
  const entries = Object.entries(parseDotenv(text)).map(([name, value]) => ({
    name,
    text: value,
    origin: `${path}:${lineOf.get(name) ?? 1}`,
  }));
  return { format: 'env', entries, faults };
}

/** dotenv drops lines that it does not understand without a word, so they are found here. */
function checkLines(path: string, text: string) {
  const faults: string[] = [];
  const lineOf = new Map<string, number>();
  let open: { readonly mark: string; readonly line: number } | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (open !== undefined) {
      if (line.includes(open.mark)) open = undefined;
    } else if (!/^\s*(#.*)?$/.test(line)) {
      const [, name, value = ''] = ASSIGNMENT.exec(line) ?? [];
      if (name === undefined)
        faults.push(`${path}:${index + 1}: expected NAME=value, a comment or an empty line`);
      else lineOf.set(name, index + 1);
      open = openedQuote(value, index + 1);
    }
  }
  if (open !== undefined) faults.push(`${path}:${open.line}: the quote is never closed`);
  return { lineOf, faults };
}

function openedQuote(value: string, line: number): { mark: string; line: number } | undefined {
  const mark = /^["'`]/.exec(value)?.[0];
  return mark === undefined || value.slice(1).includes(mark) ? undefined : { mark, line };
}

/** The parser calls itself for each level, and so do we. */
function readYamlOfAnyDepth(path: string, text: string): ConfigFile {
  try {
    return readYaml(path, text);
  } catch {
    // Faults of the text are returned; what is thrown, in whichever form, is the end of the stack.
    return { format: 'yaml', entries: [], faults: [`${path}:1: it is nested too deeply`] };
  }
}

function readYaml(path: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ pos, message }) => {
      const { line, col } = lines.linePos(pos[0]);
      return `${path}:${line}:${col}: ${message}`;
    });
    return { format: 'yaml', entries: [], faults };
  }
  if (document.contents === null) return { format: 'yaml', entries: [], faults: [] };
  if (!isMap(document.contents)) {
    return { format: 'yaml', entries: [], faults: [`${path}:1: expected a mapping such as "source:"`] };
  }
  const faults: string[] = [];
  const place = (node: Node) => `${path}:${lines.linePos(node.range?.[0] ?? 0).line}`;
  const entries = yamlEntries(document.contents, '', {
    place,
    refuse: (node, why) => faults.push(`${place(node)}: ${why}`),
  });
  return { format: 'yaml', entries, faults };
}

interface Reading {
  /** `pgstream.yaml:3` */
  readonly place: (node: Node) => string;
  readonly refuse: (node: Node, why: string) => void;
}

function yamlEntries(node: Node, name: string, reading: Reading): FileEntry[] {
  if (isMap(node) && (node.items.length > 0 || name === '')) {
    return node.items.flatMap(({ key, value }) => {
      const part = isScalar(key) ? String(key.value) : String(key);
      // A key without a value says nothing: the default stays.
      if (value === null || (isScalar(value) && value.value === null)) return [];
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parseDocument makes nodes only
      return yamlEntries(value as Node, name === '' ? part : `${name}.${part}`, reading);
    });
  }
  return [{ name, text: textOf(node, name, reading), origin: reading.place(node) }];
}

function textOf(node: Node, name: string, { refuse }: Reading): string {
  if (isScalar(node)) return String(node.value);
  if (isAlias(node)) refuse(node, `${name} is an alias; write the value out`);
  if (isSeq(node)) {
    if (!node.items.every(isScalar)) refuse(node, `${name} must be a list of plain values`);
    return node.items.map((item) => (isScalar(item) ? String(item.value) : '')).join(',');
  }
  // `stdout: {}` asks for what it names, with nothing more to say about it.
  return 'true';
}

/** `${NAME}` and `${NAME:-text}`; `$${` is a literal `${`. */
function substituted(file: ConfigFile, env: NodeJS.ProcessEnv): ConfigFile {
  const faults: string[] = [];
  const entries = file.entries.map((entry) => {
    const text = entry.text.replaceAll(
      /\$?\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g,
      (whole, name: string, fallback?: string) => {
        if (whole.startsWith('$$')) return whole.slice(1);
        const value = env[name] ?? fallback;
        if (value === undefined) {
          faults.push(`${entry.origin}: ${entry.name} refers to \${${name}}, which is not set`);
        }
        return value ?? '';
      },
    );
    return { ...entry, text };
  });
  return { ...file, entries, faults };
}
