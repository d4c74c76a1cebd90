import { PipelineError } from '@pgstream/failure';

/** @throws {PipelineError} CONFIG_INVALID unless `text` is a whole number of at least `least`. */
export function wholeNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d{1,15}$/.test(text) && value >= least) return value;
  throw new PipelineError('CONFIG_INVALID', {
    detail: `${flag} is ${text}: a whole number from ${least} on.`,
  });
}
