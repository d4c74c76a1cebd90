/**
 * Splits a psql script into the strings that psql would send: one per statement, `\;` joining statements into one. COPY FROM
 * stdin becomes an INSERT of the same rows; `\echo` is left out.
 */
export function splitScript(script: string): string[] {
  const statements: string[] = [];
  let lines = script.split('\n');
  while (lines.length > 0) {
    const [line = '', ...rest] = lines;
    lines = rest;
    if (line === '' || line.startsWith('--') || line.startsWith('\\echo')) continue;
    const copy = /^COPY (\S+\([^)]*\)) FROM stdin;$/.exec(line);
    if (copy === null) {
      statements.push(...splitLine(line));
      continue;
    }
    const end = lines.indexOf('\\.');
    statements.push(`INSERT INTO ${copy[1]} VALUES ${lines.slice(0, end).map(copyRow).join(', ')};`);
    lines = lines.slice(end + 1);
  }
  return statements;
}

function splitLine(line: string): string[] {
  const tokens = line.match(/\$\$.*?\$\$|'(?:[^']|'')*'|"(?:[^"]|"")*"|\\;|;|[^;'"$\\]+|./g) ?? [];
  const statements: string[] = [];
  let statement = '';
  for (const token of tokens) {
    statement += token === '\\;' ? ';' : token;
    if (token !== ';') continue;
    statements.push(statement.trim());
    statement = '';
  }
  return statements;
}

function copyRow(line: string): string {
  const values = line.split('\t').map((value) => {
    return value === '\\N' ? 'NULL' : `'${value.replaceAll('\\\\', '\\').replaceAll("'", "''")}'`;
  });
  return `(${values.join(', ')})`;
}
