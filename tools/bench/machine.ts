import { cpus, totalmem } from 'node:os';

/** Where figures come from: they cannot be compared without it. */
export interface Machine {
  readonly cpu?: string | undefined;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
}

export function machineFacts(): Machine {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model,
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
}
