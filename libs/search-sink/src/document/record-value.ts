import { Buffer } from 'node:buffer';
import type { FieldKind } from './field-kind.ts';

/** The value of a record, as the codec writes it, from PostgreSQL's text. */
export function encodingOfText(field: FieldKind, pgText: string): string {
  const { kind } = field;
  if (kind === 'integer' || kind === 'float' || kind === 'numeric') {
    return /^-?\d/.test(pgText) ? pgText : JSON.stringify(pgText);
  }
  if (kind === 'boolean') return String(pgText === 't' || pgText === 'true');
  if (kind !== 'bytea') return JSON.stringify(pgText);
  return `"${Buffer.from(pgText.replace(/^\\x/, ''), 'hex').toString('base64')}"`;
}
