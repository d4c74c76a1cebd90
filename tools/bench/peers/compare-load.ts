/** The shapes of WAL that systems are compared on. */
export const LOAD_NAMES = ['narrow', 'wide', 'single', 'toast', 'columns'] as const;
export type LoadName = (typeof LOAD_NAMES)[number];

export interface CompareLoad {
  /** Also of the table. */
  readonly name: LoadName;
  /** For people. */
  readonly title: string;
  readonly rows: number;
  readonly create: string;
  /** Run one after the other. */
  readonly write: readonly string[];
}

const ROWS_PER_TRANSACTION = 100;

const NARROW_COLUMNS =
  'id bigint PRIMARY KEY, acct int NOT NULL, delta int NOT NULL, balance bigint NOT NULL, ts timestamptz NOT NULL';
const NARROW_VALUES =
  '(random() * 100000)::int, (random() * 10000 - 5000)::int, (random() * 1e12)::bigint, clock_timestamp()';
const NARROW_CHANGE = 'delta = delta + 1, balance = balance + delta, ts = clock_timestamp()';

const WIDE_COLUMNS = `id bigint PRIMARY KEY, uid uuid NOT NULL, name text NOT NULL, email text, descr text,
  amount numeric(20,4), qty int, active boolean, attrs jsonb, updated_at timestamptz`;
const WIDE_VALUES = `gen_random_uuid(), 'Customer "' || md5(random()::text) || '"', md5(random()::text) || '@example.com',
  repeat(md5(random()::text), 7) || E'\\n' || 'é', (random() * 1e9)::numeric(20,4), (random() * 1000)::int, random() < 0.5,
  jsonb_build_object('k', (random() * 1e6)::int, 'tag', md5(random()::text), 'list', jsonb_build_array(1, 2, 3)), clock_timestamp()`;

/** Fewer rows of the costlier kinds: the slowest system should not take most of an hour. */
export function compareLoad(name: LoadName, rows: number): CompareLoad {
  switch (name) {
    case 'narrow':
      return narrow(name, `5 columns, ${ROWS_PER_TRANSACTION} rows per transaction`, {
        rows,
        size: ROWS_PER_TRANSACTION,
      });
    case 'single':
      return narrow(name, '5 columns, one row per transaction', { rows: rows / 2, size: 1 });
    case 'toast':
      return toast(rows / 4);
    case 'columns':
      return columns(rows / 10);
    case 'wide':
    default: {
      const transactions = Math.ceil(rows / 2 / ROWS_PER_TRANSACTION);
      return {
        name,
        title: `10 columns, about 505 bytes, ${ROWS_PER_TRANSACTION} rows per transaction`,
        rows: transactions * ROWS_PER_TRANSACTION,
        create: `CREATE TABLE wide (${WIDE_COLUMNS})`,
        write: [inserts('wide', WIDE_VALUES, { transactions, size: ROWS_PER_TRANSACTION })],
      };
    }
  }
}

/** Every key is inserted, then updated. */
function narrow(
  name: LoadName,
  title: string,
  { rows, size }: { readonly rows: number; readonly size: number },
): CompareLoad {
  const transactions = Math.ceil(rows / 2 / size);
  const range = `id BETWEEN t * ${size} AND t * ${size} + ${size - 1}`;
  return {
    name,
    title,
    rows: transactions * size * 2,
    create: `CREATE TABLE ${name} (${NARROW_COLUMNS})`,
    write: [
      inserts(name, NARROW_VALUES, { transactions, size }),
      loop(transactions, `UPDATE ${name} SET ${NARROW_CHANGE} WHERE ${range};`),
    ],
  };
}

function inserts(
  table: string,
  values: string,
  { transactions, size }: { transactions: number; size: number },
) {
  const rows = `SELECT t * ${size} + g, ${values} FROM generate_series(0, ${size - 1}) g`;
  return loop(transactions, `INSERT INTO ${table} ${rows};`);
}

const TOAST_BYTES = 8192;
/** Updates of a row for each insert. */
const TOAST_UPDATES = 49;

/** Updates of a counter beside a value that is stored out of line: it does not change, and the WAL does not have it. */
function toast(rows: number): CompareLoad {
  const size = ROWS_PER_TRANSACTION;
  const transactions = Math.ceil(rows / (1 + TOAST_UPDATES) / size);
  const text = `(SELECT string_agg(md5((t * 1000 + g * i)::text), '') FROM generate_series(1, ${TOAST_BYTES / 32}) i)`;
  const range = `id BETWEEN t * ${size} AND t * ${size} + ${size - 1}`;
  return {
    name: 'toast',
    title: `updates beside a value of ${TOAST_BYTES} bytes out of line, ${size} rows per transaction`,
    rows: transactions * size * (1 + TOAST_UPDATES),
    create: `CREATE TABLE toast (id bigint PRIMARY KEY, qty int NOT NULL, body text NOT NULL);
      ALTER TABLE toast ALTER COLUMN body SET STORAGE EXTERNAL`,
    write: [
      inserts('toast', `0, ${text}`, { transactions, size }),
      ...Array.from({ length: TOAST_UPDATES }, () =>
        loop(transactions, `UPDATE toast SET qty = qty + 1 WHERE ${range};`),
      ),
    ],
  };
}

const COLUMN_KINDS = [
  ['int', '(random() * 1e6)::int'],
  ['bigint', '(random() * 1e12)::bigint'],
  ['text', 'md5(random()::text)'],
  ['timestamptz', 'clock_timestamp()'],
  ['numeric(12,2)', '(random() * 1e6)::numeric(12,2)'],
  ['boolean', 'random() < 0.5'],
  ['text', 'NULL'],
] as const;

/** Fifty columns of common types, every seventh of them NULL. */
function columns(rows: number): CompareLoad {
  const size = ROWS_PER_TRANSACTION;
  const transactions = Math.ceil(rows / size);
  const kinds = Array.from(
    { length: 49 },
    (_, i) => COLUMN_KINDS[i % COLUMN_KINDS.length] ?? COLUMN_KINDS[0],
  );
  return {
    name: 'columns',
    title: `50 columns, ${size} rows per transaction`,
    rows: transactions * size,
    create: `CREATE TABLE columns (id bigint PRIMARY KEY, ${kinds.map(([type], i) => `c${i} ${type}`).join(', ')})`,
    write: [inserts('columns', kinds.map(([, value]) => value).join(', '), { transactions, size })],
  };
}

function loop(transactions: number, statement: string): string {
  return `DO $$ BEGIN FOR t IN 0..${transactions - 1} LOOP ${statement} COMMIT; END LOOP; END $$`;
}
