import { classify, classifyPostgres, PipelineError, type ClassifyRule } from '@pgstream/failure';

/** Where a code means something else, or something more, on a replication connection. */
const STREAM_RULES: readonly ClassifyRule[] = [
  // The slot was looked up before START, so what is missing in the stream is a publication: it is looked up in the
  // catalogue as of the change that is decoded
  { code: 'PG_PUBLICATION_MISSING', matches: (code) => code === '42704' },
  // WAL that the slot needs is gone
  { code: 'PG_SLOT_LOST', matches: (code) => code === '58P01' },
  // The disk of the server: a spill that could not be written
  { code: 'PG_OVERLOADED', matches: (code) => code === '58030' },
  { code: 'PG_UNREACHABLE', matches: (code) => code === 'ERR_STREAM_DESTROYED' || code === 'EHOSTDOWN' },
];

/** What the replication connection threw, as one of our errors. */
export function classifyStream(cause: unknown): PipelineError {
  if (cause instanceof PipelineError) return cause;
  const { code } = classify(cause, STREAM_RULES);
  if (code === 'UNCLASSIFIED') return classifyPostgres(cause);
  // The server's own words name the object
  return new PipelineError(code, {
    cause,
    ...(cause instanceof Error ? { detail: `Server: ${cause.message}.` } : {}),
  });
}
