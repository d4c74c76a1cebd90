import { Buffer } from 'node:buffer';
import { encodingOfText } from './record-value.ts';
import { ByteSink } from './byte-sink.ts';
import { classifyType, type TypeShape } from './field-kind.ts';
import type { Layout } from './mapping.ts';
import { writerOf } from './value-writer.ts';

/**
 * The JSON text that a search document shows for a value of `type` that PostgreSQL prints as `pgText` (under the
 * pinned settings of the replication connection), for comparing tables with indices; `null` is SQL NULL.
 */
export function expectedFieldOf(
  type: string,
  pgText: string | null,
  options: { readonly shape?: TypeShape; readonly layout?: Layout } = {},
): string {
  if (pgText === null) return 'null';
  const layout = options.layout ?? 'table';
  const field = classifyType(type, options.shape);
  const value = Buffer.from(encodingOfText(field, pgText));
  const writer = writerOf(field, layout);
  if (writer === null) return value.toString();
  const out = new ByteSink(value.length + 16);
  writer(out, value, 0, value.length);
  return out.view().toString();
}
