import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { zstdCompress, zstdCompressSync, zstdDecompressSync } from './zstd.ts';

const MAX = { maxOutputLength: 4 * 1024 * 1024 };

function bodies(): Buffer[] {
  const sizes = [1, 10, 5_000, 70_000, 200_000, 1_000_000];
  return sizes.flatMap((size) => [
    randomBytes(size), // grows when compressed: several pieces come out
    Buffer.alloc(size, 'a row that resembles its neighbours '),
  ]);
}

test('frames made at the same time are each whole, in one context after the other', async () => {
  const sent = [...bodies(), ...bodies()];
  const frames = await Promise.all(sent.map(async (body) => await zstdCompress(body)));
  for (const [i, frame] of frames.entries()) {
    expect(zstdDecompressSync(frame, MAX).equals(sent[i]!)).toBe(true);
  }
});

test('what is compressed at once reads the same', () => {
  for (const body of bodies())
    expect(zstdDecompressSync(zstdCompressSync(body), MAX).equals(body)).toBe(true);
});
