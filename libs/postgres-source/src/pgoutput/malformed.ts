import type { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';

/** `PG_PROTOCOL` with the facts that locate the fault; row values stay out of it. */
export function malformed(what: string, frame: Buffer, offset: number): PipelineError {
  const kind = frame.length > 25 ? (frame[25] ?? 0) : (frame[0] ?? 0);
  return new PipelineError('PG_PROTOCOL', {
    detail: `${what}.`,
    facts: { kind: `0x${kind.toString(16)}`, length: frame.length, offset },
  });
}
