export { ByteGate } from './byte-gate.ts';
export { Fifo } from './fifo.ts';
export { LinkedOrder, type Linked } from './linked-order.ts';
export { Turns } from './turns.ts';
export { Watermark } from './watermark.ts';
