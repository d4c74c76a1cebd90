import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import type { BrokerConnection } from './broker-connection.ts';

/** The versions that `protocol/requests` writes, by API key. */
const NEEDED: Readonly<Record<number, { readonly name: string; readonly version: number }>> = {
  0: { name: 'Produce', version: 7 },
  1: { name: 'Fetch', version: 10 },
  2: { name: 'ListOffsets', version: 1 },
  3: { name: 'Metadata', version: 10 },
  10: { name: 'FindCoordinator', version: 1 },
  22: { name: 'InitProducerId', version: 3 },
};

/** @throws {PipelineError} `KAFKA_REQUEST_REFUSED` for a broker that does not speak them; it answers before SASL. */
export async function requireVersions(connection: BrokerConnection): Promise<void> {
  const answer = await connection.request({ key: 18, version: 0, body: Buffer.alloc(0) });
  const code = answer.int16();
  const offered = new Map(
    answer.array(() => {
      const key = answer.int16();
      return [key, { min: answer.int16(), max: answer.int16() }] as const;
    }),
  );
  const unmet = Object.entries(NEEDED).filter(([key, { version }]) => {
    const range = offered.get(Number(key));
    return range === undefined || version < range.min || version > range.max;
  });
  if (code === 0 && unmet.length === 0) return;
  const names = unmet.map(([, { name, version }]) => `${name} ${version}`).join(', ');
  throw new PipelineError('KAFKA_REQUEST_REFUSED', {
    detail: `Broker ${connection.address} does not speak ${names || 'our protocol'}: Kafka 2.8 or newer is needed.`,
  });
}
