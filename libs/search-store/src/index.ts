export {
  changeAliases,
  createIndex,
  deleteIndex,
  putMapping,
  readIndices,
  refreshIndices,
  type AliasAction,
  type IndexDefinition,
  type IndexState,
  type Properties,
} from './admin.ts';
export { invalidAnswer, isObject, objectOf } from './answer.ts';
export type { BulkFailure, BulkResponse } from './bulk-response.ts';
export type { SearchConnection, SearchTls } from './connection.ts';
export { elementsOf, membersOf, type RawMember } from './raw-json.ts';
export { scanDocuments, type ScannedDocument, type ScanRequest } from './scan.ts';
export { codeOfProblem, type StoreProblem } from './store-errors.ts';
export {
  SearchStore,
  type DocumentAddress,
  type RequestOptions,
  type StoredDocument,
  type StoreInfo,
  type StoreResponse,
} from './store.ts';
