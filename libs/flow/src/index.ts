export { ByteGate } from './byte-gate.ts';
export { Watermark } from './watermark.ts';
