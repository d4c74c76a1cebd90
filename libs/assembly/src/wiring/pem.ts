import { readFileSync } from 'node:fs';

/** `{ [name]: text of the file }`, or nothing where no file is named. */
export function pem<K extends string>(name: K, file: string | null): { readonly [key in K]?: string } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key of a generic type widens to string
  return (file === null ? {} : { [name]: readFileSync(file, 'utf8') }) as { readonly [key in K]?: string };
}
