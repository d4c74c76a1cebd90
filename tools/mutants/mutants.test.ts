import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import { MUTANTS } from './mutants.ts';

const read = (file: string) => readFileSync(join(workspaceRoot(), file), 'utf8');

test.each(MUTANTS)(
  'the line of "$name" and the test that catches it are where they are said to be',
  (mutant) => {
    expect(read(mutant.file).split(mutant.from)).toHaveLength(2);
    expect(mutant.to).not.toBe(mutant.from);
    // A name of `test.each` may stand in a line of its own.
    expect(read(mutant.test).replaceAll(/\(\s+/g, '(')).toContain(`('${mutant.named}`);
  },
);
