import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { assertNever } from '@pgstream/wal-event';
import type { RunningService } from '../product/product.ts';
import { OwnServers } from '../system/own-servers.ts';
import { sharedServers, type Servers } from '../system/system.ts';
import { BrokerTrio } from './broker-trio.ts';
import type { Fault } from './fault.ts';
import { PrimaryAndStandby } from './primary-and-standby.ts';

type Kind = NonNullable<Fault['servers']>;

export interface ArenaOptions {
  /** Faults that harm nobody go to the servers that the tests have already. */
  readonly usesEndpoints: boolean;
  /** Where what the processes logged is kept. */
  readonly logsDir?: string | undefined;
  readonly note?: (text: string) => void;
}

/** Servers of one run of the suite, started when a fault first needs them and used by all that do. */
export class Arena {
  readonly #options: ArenaOptions;
  #own: OwnServers | undefined;
  #trio: BrokerTrio | undefined;
  #pair: PrimaryAndStandby | undefined;

  constructor(options: ArenaOptions) {
    this.#options = options;
  }

  async servers(kind: Kind): Promise<Servers> {
    switch (kind) {
      case 'shared':
        return this.#options.usesEndpoints ? sharedServers() : (await this.#whole()).endpoints;
      case 'own':
        return (await this.#whole()).endpoints;
      case 'brokers':
        return { ...(await this.servers('shared')), kafkaBroker: (await this.trio()).brokers.join(',') };
      case 'standby':
        return { ...(await this.servers('shared')), postgresUrl: (await this.#newPair()).url };
      default:
        return assertNever(kind);
    }
  }

  /** Servers that may be stopped. */
  async own(): Promise<OwnServers> {
    if (this.#own === undefined) {
      this.#note('starting PostgreSQL, Kafka and OpenSearch …');
      this.#own = await OwnServers.start();
    }
    return this.#own;
  }

  async trio(): Promise<BrokerTrio> {
    if (this.#trio === undefined) {
      this.#note('starting three brokers …');
      this.#trio = await BrokerTrio.start();
    }
    return this.#trio;
  }

  /** Those of the scene that runs: a promoted standby serves no second time. */
  get pair(): PrimaryAndStandby {
    if (this.#pair === undefined) throw new Error('the fault asks for no standby');
    return this.#pair;
  }

  keepLogs(name: string, services: readonly RunningService[]): void {
    const { logsDir } = this.#options;
    if (logsDir === undefined) return;
    mkdirSync(logsDir, { recursive: true });
    for (const { name: process, logFile } of services) {
      if (existsSync(logFile)) cpSync(logFile, join(logsDir, `${name}-${process}.log`));
    }
  }

  async close(): Promise<void> {
    await this.#pair?.close();
    await this.#trio?.close();
    await this.#own?.close();
  }

  /** A fault that failed may have left one of them stopped: the next one has nothing to do with that. */
  async #whole(): Promise<OwnServers> {
    const own = await this.own();
    if (own.areRunning) return own;
    this.#note('a server is gone: starting new ones …');
    await own.close();
    this.#own = undefined;
    return this.own();
  }

  async #newPair(): Promise<PrimaryAndStandby> {
    await this.#pair?.close();
    this.#pair = await PrimaryAndStandby.start();
    return this.#pair;
  }

  #note(text: string): void {
    this.#options.note?.(text);
  }
}
