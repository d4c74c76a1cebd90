import type { ErrorSpec } from '../error-spec.ts';

export const GENERAL_ERRORS = {
  CONFIG_INVALID: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'One or more settings are unknown, missing or malformed.',
    action: 'Correct every setting that the message lists; docs/configuration.md describes each.',
  },
  FEATURE_NOT_AVAILABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'A setting asks for a feature that this version does not have.',
    action: 'Remove the setting named in the message, or install a version that has the feature.',
  },
  FILE_UNUSABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The file of the target ndjson cannot be written, or holds something else than records.',
    action: 'Name a file in a folder that this process may write to, new or written by pgstream before.',
  },
  HEALTH_ADDRESS_UNAVAILABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The health server cannot listen on its address.',
    action: 'Choose a free address with PGSTREAM_HEALTH_CHECK_ADDRESS; port 0 takes any free port.',
  },
  RECORD_UNDECODABLE: {
    disposition: 'park',
    summary: 'A record does not have the form of the event contract.',
    action:
      'Read the dead letter (`pgstream dead-letters show`); see who else writes to the topic; correct the writer, let the row change again, discard the letter.',
  },
  RECORDING_UNREADABLE: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The file is not a recording of replication frames that this version can read.',
    action: 'Name a file that the log line of a decoding error named, or use the version that wrote it.',
  },
  DEAD_LETTER_NOT_FOUND: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'No dead letter, or more than one, has this id.',
    action:
      'List them with `pgstream dead-letters ls`, with the same settings as the process that parked them.',
  },
  RETRIES_EXHAUSTED: {
    disposition: 'halt',
    summary: 'Something that time can heal did not heal within the configured number of attempts.',
    action:
      'See the last failure; the supervisor restarts the process. The *_MAX_RETRIES settings say how many attempts.',
  },
  UNCLASSIFIED: {
    disposition: 'halt',
    summary: 'A failure that no rule names.',
    action:
      'Read `cause` in the log line and report it; the process stopped before confirming anything after it.',
  },
} as const satisfies Record<string, ErrorSpec>;
