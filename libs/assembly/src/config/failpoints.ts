import { FAILPOINTS, FAILPOINTS_VARIABLE, parseFailpoints } from '@pgstream/failure';
import type { Kind } from '@pgstream/service-runtime';

/** Kept as text: whether it is well formed is said by {@link failpointFaults}, which names what is wrong. */
export const FAILPOINTS_KIND: Kind<string> = {
  accepts: 'a list of name:action, such as source.start:kill',
  parse: (text) => text.trim(),
  format: String,
};

/** An unknown name is refused; and so is a value that came too late to arm anything. */
export function failpointFaults(failpoints: string | null, env: NodeJS.ProcessEnv = process.env): string[] {
  if (failpoints === null) return [];
  try {
    parseFailpoints(failpoints);
  } catch (error) {
    const known = Object.keys(FAILPOINTS).join(', ');
    return [`${FAILPOINTS_VARIABLE}: ${error instanceof Error ? error.message : ''}; known: ${known}`];
  }
  return env[FAILPOINTS_VARIABLE]?.trim() === failpoints
    ? []
    : [`${FAILPOINTS_VARIABLE} is read from the environment of the process only, not from a file`];
}
