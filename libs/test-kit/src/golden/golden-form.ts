/** JSON as a tree in which a number is its literal: `#12.50`. Nothing is lost on the way. */
export type Tree = string | boolean | null | Tree[] | { [member: string]: Tree };
export type TreeObject = Record<string, Tree>;

export function parseTree(json: string): TreeObject {
  const quoted = json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') ? token : `"#${token}"`,
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a JSON object without numbers
  return JSON.parse(quoted) as TreeObject;
}

/** The text of a member; empty where it is absent or not text. */
export function textOf(tree: Tree | undefined): string {
  return typeof tree === 'string' ? tree : '';
}

/** Members that the product adds to a record, and those of the content of a schema record. */
const OUR_MEMBERS = ['commit_lsn', 'epoch', 'xid', 'seq', 'unchanged', 'sub', 'snapshot'];
const OUR_CONTENT = ['schema_log', 'source', 'changes'];

/**
 * A record in a form that two runs share: ids and OIDs by order of appearance, positions and times by presence, objects of a
 * schema record by kind and name, the content parsed.
 */
export class Normaliser {
  readonly #ids = new Map<string, string>();

  record(json: string): TreeObject {
    const tree = parseTree(json);
    for (const member of OUR_MEMBERS) delete tree[member];
    tree['lsn'] = 'lsn';
    tree['timestamp'] = tree['timestamp'] === '' ? '' : 'time';
    if (tree['prefix'] === 'pgstream.ddl') tree['content'] = this.#content(textOf(tree['content']));
    return named(this.#walk(tree));
  }

  #content(json: string): Tree {
    const content = parseTree(json);
    for (const member of OUR_CONTENT) delete content[member];
    const objects = Array.isArray(content['objects']) ? content['objects'].map(named) : [];
    content['objects'] = objects.toSorted((a, b) => (kindAndName(a) < kindAndName(b) ? -1 : 1));
    return sorted(content);
  }

  #walk(tree: Tree): Tree {
    if (typeof tree === 'string' && tree.startsWith('#')) return tree;
    if (typeof tree === 'string')
      return tree.replace(/\b(?=[0-9a-v]*\d)[0-9a-v]{20}\b/g, (id) => this.#seen(id));
    if (Array.isArray(tree)) return tree.map((item) => this.#walk(item));
    if (tree === null || typeof tree !== 'object') return tree;
    return Object.fromEntries(
      Object.entries(tree).map(([name, value]) => [
        name,
        name === 'oid' ? this.#seen(`oid ${textOf(value)}`) : this.#walk(value),
      ]),
    );
  }

  #seen(id: string): string {
    const known = this.#ids.get(id);
    if (known !== undefined) return known;
    const name = `${id.startsWith('oid') ? 'oid' : 'id'}${this.#ids.size}`;
    this.#ids.set(id, name);
    return name;
  }
}

function kindAndName(object: TreeObject): string {
  return `${textOf(object['type'])} ${textOf(object['identity'])}`;
}

/** Objects of the content come from jsonb there: the order of members means nothing. */
function sorted(tree: Tree): Tree {
  if (Array.isArray(tree)) return tree.map(sorted);
  if (tree === null || typeof tree !== 'object') return tree;
  const members = Object.entries(tree).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, value]) => [name, sorted(value)]));
}

export function named(tree: Tree): TreeObject {
  if (!isObject(tree)) throw new Error('not an object');
  return tree;
}

/**
 * The recording with its lossy values replaced by ours where they are the same number: there they went through a float, and
 * NaN and the infinities became null.
 */
export function repaired(recorded: Tree, ours: Tree): Tree {
  if (typeof ours === 'string') return sameNumber(recorded, ours) ? ours : recorded;
  if (Array.isArray(recorded)) {
    const items = Array.isArray(ours) ? ours : [];
    return recorded.map((item, i) => repaired(item, items[i] ?? null));
  }
  if (recorded === null || typeof recorded !== 'object') return recorded;
  const members = isObject(ours) ? ours : {};
  return Object.fromEntries(
    Object.entries(recorded).map(([name, value]) => [name, repaired(value, members[name] ?? null)]),
  );
}

function isObject(tree: Tree): tree is TreeObject {
  return tree !== null && typeof tree === 'object' && !Array.isArray(tree);
}

function sameNumber(recorded: Tree, ours: string): boolean {
  if (recorded === null) return /^(?:NaN|-?Infinity)$/.test(ours);
  const literals = typeof recorded === 'string' && recorded.startsWith('#') && ours.startsWith('#');
  return literals && Number(recorded.slice(1)) === Number(ours.slice(1));
}
