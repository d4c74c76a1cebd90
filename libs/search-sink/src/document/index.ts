export { ByteSink } from './byte-sink.ts';
export { convertText, type Note } from './convert.ts';
export { DocumentBuilder, type PreviousDocument } from './document-builder.ts';
export { DocumentIds, idOf, type IdOptions } from './document-id.ts';
export { expectedFieldOf } from './expected-field.ts';
export {
  classifyType,
  type DocumentColumn,
  type FieldKind,
  type ScalarKind,
  type TypeShape,
} from './field-kind.ts';
export { fieldNameOf } from './field-name.ts';
export { mappingOf, PGSTREAM_MAPPING, type FieldMapping, type Layout } from './mapping.ts';
export { rawMembers, type RawMember } from './raw-members.ts';
export type { RecordView } from './record-view.ts';
