import { Buffer } from 'node:buffer';
import type { FieldKind } from './field-kind.ts';

/** The value of a record, as the codec writes it, from PostgreSQL's text. */
export function encodingOfText(field: FieldKind, pgText: string): string {
  switch (field.kind) {
    case 'integer':
    case 'float':
    case 'numeric':
      return /^-?\d/.test(pgText) ? pgText : JSON.stringify(pgText);
    case 'boolean':
      return pgText === 't' || pgText === 'true' ? 'true' : 'false';
    case 'bytea':
      return `"${Buffer.from(pgText.replace(/^\\x/, ''), 'hex').toString('base64')}"`;
    default:
      return JSON.stringify(pgText);
  }
}
