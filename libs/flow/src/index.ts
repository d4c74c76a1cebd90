export { ByteGate } from './byte-gate.ts';
export { LinkedOrder, type Linked } from './linked-order.ts';
export { Watermark } from './watermark.ts';
