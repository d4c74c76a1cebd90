import { count, limitOf } from './count.ts';
import { SUBJECTS } from './subjects.ts';

test.each(SUBJECTS)(
  '$name allocates no more per row than a tenth above what it did',
  (subject) => {
    expect(count(subject)).toBeLessThanOrEqual(limitOf(subject));
  },
  60_000,
);
