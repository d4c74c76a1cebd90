/**
 * The Java client's default partitioner, so that every client agrees on where a key lies.
 * @see https://kafka.apache.org/documentation/#producerconfigs_partitioner.class
 */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

const MIX = 0x5bd1e995;

export function murmur2(data: Uint8Array): number {
  const { length } = data;
  let hash = (0x9747b28c ^ length) | 0;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let word = at(data, i) | (at(data, i + 1) << 8) | (at(data, i + 2) << 16) | (at(data, i + 3) << 24);
    word = Math.imul(word, MIX);
    word ^= word >>> 24;
    word = Math.imul(word, MIX);
    hash = Math.imul(hash, MIX) ^ word;
  }
  const rest = length & 3;
  if (rest === 3) hash ^= at(data, whole + 2) << 16;
  if (rest >= 2) hash ^= at(data, whole + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ at(data, whole), MIX);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MIX);
  return hash ^ (hash >>> 15);
}

function at(data: Uint8Array, index: number): number {
  return data[index] ?? 0;
}
