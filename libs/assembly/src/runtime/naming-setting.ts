import { PipelineError } from '@pgstream/failure';

/** The same failure, saying which setting led to the peer that failed. */
export function namingSetting(error: PipelineError, setting: string): PipelineError {
  const { code, cause, facts, detail = '' } = error;
  if (detail.includes(setting)) return error;
  return new PipelineError(code, { cause, facts, detail: `${detail} Settings: ${setting}.`.trimStart() });
}

/** Failures of `work` name the setting. */
export async function withSetting<T>(setting: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof PipelineError ? namingSetting(error, setting) : error;
  }
}
