// Loaded before the product (`node --import`): its wall clock is that of the machine plus the milliseconds that a file
// says. Durations are measured by performance.now(), which stays as it is: no system moves that clock.
import { readFileSync, watchFile } from 'node:fs';

const file = process.env.FAULTS_CLOCK_FILE;
const RealDate = Date;
let offsetMs = 0;

function read() {
  try {
    offsetMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    offsetMs = 0;
  }
}

class AdjustableDate extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offsetMs);
    else super(...args);
  }

  static now() {
    return RealDate.now() + offsetMs;
  }
}

if (file !== undefined) {
  read();
  watchFile(file, { interval: 50 }, read).unref();
  globalThis.Date = AdjustableDate;
}
