// Loaded into a process of the product by `--import`, so that nothing of the product knows of it. The first SIGUSR2 starts
// the sampling, the next one ends it and writes what was sampled to PROFILE_FILE. PROFILE_KIND: cpu, allocations.
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

/** Fine enough for ten functions out of a run of seconds, and at 4,000 samples per second no load of its own. */
const CPU_INTERVAL_US = 250;
const ALLOCATION_INTERVAL_BYTES = 8 * 1024;

const { PROFILE_KIND: kind, PROFILE_FILE: file } = process.env;
if (file === undefined || (kind !== 'cpu' && kind !== 'allocations')) throw new Error('see the first line');
const session = new Session();
session.connect();
let isSampling = false;

process.on('SIGUSR2', () => {
  void (isSampling ? finish(file) : begin());
  isSampling = true;
});

async function begin(): Promise<void> {
  if (kind === 'cpu') {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: CPU_INTERVAL_US });
    await session.post('Profiler.start');
    return;
  }
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: ALLOCATION_INTERVAL_BYTES,
    // what was allocated, not what is left of it
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
}

async function finish(path: string): Promise<void> {
  const { profile } =
    kind === 'cpu' ? await session.post('Profiler.stop') : await session.post('HeapProfiler.stopSampling');
  writeFileSync(`${path}.partial`, JSON.stringify(profile));
  renameSync(`${path}.partial`, path); // whoever waits for the file finds it whole
}
