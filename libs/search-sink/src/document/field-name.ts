/** Members that a search engine keeps for itself at the top of a document, and ours. */
const RESERVED = new Set(
  (
    '_id _index _source _type _routing _field_names _ignored _seq_no _primary_term _version _size _doc_count ' +
    '_nested_path _tier _data_stream_timestamp _tsid _feature _all _parent _uid _timestamp _ttl _score ' +
    '_inference_fields _ts_routing_hash _ignored_source _ignore _pgstream _table _nested_source _recovery_source'
  ).split(' '),
);

/**
 * The field of a column: its name, with `%XX` for what a field name cannot hold. A dot would make an object of it
 * (and clash with a column named like its first part); reserved names and blank ones are refused by the engines.
 * Two columns never share a field.
 */
export function fieldNameOf(column: string): string {
  if (RESERVED.has(column)) return `%5F${column.slice(1)}`;
  const escaped = column.replaceAll('%', '%25').replaceAll('.', '%2E');
  return column.trim() === '' ? escaped.replaceAll(/\s/g, percent) : escaped;
}

function percent(char: string): string {
  return encodeURIComponent(char);
}
