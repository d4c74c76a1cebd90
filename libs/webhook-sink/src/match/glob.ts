/** `*` stands for any characters, `?` for one; everything else for itself, case included. */
export function globPattern(glob: string): RegExp {
  const body = glob.replaceAll(/[.*+?^${}()|[\]\\]/g, (character) => {
    if (character === '*') return '.*';
    return character === '?' ? '.' : `\\${character}`;
  });
  return new RegExp(`^${body}$`, 'su');
}
