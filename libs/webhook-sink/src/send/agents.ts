import { createHash } from 'node:crypto';
import { Agent, type buildConnector, type Agent as UndiciAgent } from 'undici';
import type { ReceiverTls } from './receiver-tls.ts';

/** With the parts of `connect` that are the same for all. */
export type AgentOptions = Omit<UndiciAgent.Options, 'connect'> & {
  readonly connect: buildConnector.BuildOptions;
};

/** Receivers with TLS of their own whose connections are kept; the one that was called longest ago makes room. */
const MAX_AGENTS = 256;

/**
 * Connections to receivers. Those that were opened with one certificate or authority are used for nobody else: a receiver
 * takes the certificate of a connection for the identity of whoever calls.
 */
export class Agents {
  readonly #options: AgentOptions;
  readonly #plain: Agent;
  /** By fingerprint of the TLS material, the one that was called last at the end. */
  readonly #own = new Map<string, Agent>();
  readonly #fingerprints = new WeakMap<ReceiverTls, string>();

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#plain = new Agent(options);
  }

  /** @param tls the same object for the same material costs no hashing. */
  of(tls: ReceiverTls | null): Agent {
    if (tls === null) return this.#plain;
    const fingerprint = this.#fingerprintOf(tls);
    const agent = this.#own.get(fingerprint) ?? this.#made(tls);
    this.#own.delete(fingerprint);
    this.#own.set(fingerprint, agent);
    return agent;
  }

  async destroy(): Promise<void> {
    await Promise.all([this.#plain, ...this.#own.values()].map((agent) => agent.destroy()));
  }

  #made({ ca, cert, key }: ReceiverTls): Agent {
    const [oldest] = this.#own;
    if (oldest !== undefined && this.#own.size >= MAX_AGENTS) {
      this.#own.delete(oldest[0]);
      // Its requests under way come to their end.
      oldest[1].close().catch(() => {});
    }
    const { connect } = this.#options;
    const material = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    };
    return new Agent({ ...this.#options, connect: { ...connect, ...material } });
  }

  #fingerprintOf(tls: ReceiverTls): string {
    const known = this.#fingerprints.get(tls);
    if (known !== undefined) return known;
    const { ca, cert, key } = tls;
    const made = createHash('sha256')
      .update(JSON.stringify([ca, cert, key]))
      .digest('base64url');
    this.#fingerprints.set(tls, made);
    return made;
  }
}
