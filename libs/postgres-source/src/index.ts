export type { SchemaHistoryPort, TableState } from './history-port.ts';
export type { RelationColumn, RelationMessage, TypeMessage } from './pgoutput/messages.ts';
