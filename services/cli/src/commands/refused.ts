import { PipelineError } from '@pgstream/failure';
import type { Command } from 'commander';

/** Commands of the original, or of the next versions, refused by name rather than called unknown. */
const REFUSED = {
  snapshot: 'snapshots are not available in this version; only changes after `init` are streamed',
  validate: 'there are no transformation rules to validate in this version',
} as const;

export function addRefusedCommands(program: Command): void {
  for (const [name, why] of Object.entries(REFUSED)) {
    program
      .command(name, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw new PipelineError('FEATURE_NOT_AVAILABLE', { detail: `pgstream ${name}: ${why}.` });
      });
  }
}
