import { readFileSync } from 'node:fs';
import { PipelineError } from '@pgstream/failure';
import {
  describeRecording,
  readRecording,
  replayRecording,
  type ReplayOutcome,
} from '@pgstream/postgres-source';

export interface FileReplay extends ReplayOutcome {
  readonly description: string;
  /** Of the error that the recording was written for. */
  readonly recorded: string;
}

/**
 * Decodes a file of the flight recorder; needs no database.
 * @throws {PipelineError} RECORDING_UNREADABLE
 */
export function replayFile(path: string, onRecord: (value: Buffer) => void): FileReplay {
  const recording = readRecording(read(path));
  const outcome = replayRecording(recording, onRecord);
  return {
    ...outcome,
    description: describeRecording(recording),
    recorded: recording.header.error.message,
  };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new PipelineError('RECORDING_UNREADABLE', { cause, detail: path });
  }
}
