import { OwnServers } from '../system/own-servers.ts';
import { sharedServers, type Servers } from '../system/system.ts';
import type { Fault } from './fault.ts';

type Kind = NonNullable<Fault['servers']>;

/** Servers of one run of the suite, started when a fault first needs them and used by all that do. */
export class Arena {
  readonly #usesEndpoints: boolean;
  readonly #note: (text: string) => void;
  #own: OwnServers | undefined;

  /** @param usesEndpoints faults that harm nobody go to the servers that the tests have already. */
  constructor(usesEndpoints: boolean, note: (text: string) => void = () => undefined) {
    this.#usesEndpoints = usesEndpoints;
    this.#note = note;
  }

  async servers(kind: Kind): Promise<Servers> {
    if (kind === 'shared' && this.#usesEndpoints) return sharedServers();
    return (await this.own()).endpoints;
  }

  /** Servers that may be stopped. */
  async own(): Promise<OwnServers> {
    if (this.#own === undefined) {
      this.#note('starting PostgreSQL, Kafka and OpenSearch …');
      this.#own = await OwnServers.start();
    }
    return this.#own;
  }

  async close(): Promise<void> {
    await this.#own?.close();
  }
}
