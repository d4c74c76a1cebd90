import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';

/** NODE_OPTIONS of the image: what is measured with them is measured as it is shipped. */
export function imageNodeOptions(): string {
  const dockerfile = readFileSync(join(workspaceRoot(), 'Dockerfile'), 'utf8');
  const [, options] = /^ENV .*\bNODE_OPTIONS="([^"]+)"/m.exec(dockerfile) ?? [];
  if (options === undefined)
    throw new Error('the Dockerfile sets no NODE_OPTIONS any more: mend this look-up');
  return options;
}
