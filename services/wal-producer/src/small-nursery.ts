import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation at the megabyte that it starts with. Rows make no objects, so that is enough, and what a
 * batch leaves behind outside the heap is given back sooner. Left alone it grows to twice 16 MiB while modules are loaded, and
 * stays there: call this before they are. The limit itself (`--max-semi-space-size`) is read once, before any of our code.
 */
export function keepNurserySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
