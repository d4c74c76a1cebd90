import { lookup, type LookupAddress, type LookupAllOptions, type LookupOptions } from 'node:dns';
import ipaddr from 'ipaddr.js';

export interface AddressGuardOptions {
  /** Addresses (`10.1.2.3`), ranges (`10.0.0.0/8`) and hosts (`hook.internal`, `*.internal`) that are let through. */
  readonly allow: readonly string[];
  readonly httpsOnly: boolean;
  /** The name of the setting that holds `allow`, for messages. */
  readonly setting: string;
  /** Default: that of the operating system. */
  readonly resolve?: Resolve;
}

type Resolve = (
  host: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;
type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];
type Resolved = (
  error: NodeJS.ErrnoException | null,
  found: LookupAddress[] | string,
  family?: number,
) => void;

/** Why no connection is made. `code` tells it from failures of the network. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  readonly code = 'ADDRESS_REFUSED';
}

/**
 * Keeps requests away from private, loopback, link-local and metadata addresses. A name is judged by what it resolves to
 * when the socket is opened, and the socket uses the very address that was judged, so that a name that changes its mind
 * gains nothing. Literals never get there: sockets do not resolve them, so they are judged by {@link urlFault}.
 */
export class AddressGuard {
  readonly #options: AddressGuardOptions;
  readonly #ranges: readonly Range[];
  readonly #hosts: readonly string[];

  /** @throws {RangeError} naming an entry of `allow` that is neither address, range nor host. */
  constructor(options: AddressGuardOptions) {
    this.#options = options;
    this.#ranges = options.allow.filter(isNumeric).map(parseRange);
    this.#hosts = options.allow.filter((entry) => !isNumeric(entry)).map((host) => host.toLowerCase());
  }

  /** Why `url` is not called, for whoever wrote it; `undefined` when it may be. */
  urlFault(url: string): string | undefined {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
      return 'url: not an absolute http or https URL';
    }
    if (this.#options.httpsOnly && parsed.protocol !== 'https:') return 'url: only https is allowed here';
    return `${parsed.username}${parsed.password}` === ''
      ? this.#hostFault(parsed.hostname.replace(/^\[(.*)\]$/, '$1'))
      : 'url: credentials do not belong in a URL; use headers';
  }

  #hostFault(host: string): string | undefined {
    if (host === '') return 'url: it names no host';
    if (!ipaddr.isValid(host) || this.allows(host)) return undefined;
    return `url: ${host} is not a public address; ${this.#options.setting} can allow it`;
  }

  /** Whether a socket to this address may be opened. `address` is a literal. */
  allows(address: string): boolean {
    const ip = ipaddr.process(address);
    return isPublic(ip) || this.#ranges.some(([network, bits]) => isWithin(ip, network, bits));
  }

  /** In place of `dns.lookup` for sockets: answers only addresses that may be called. */
  readonly lookup = (host: string, options: LookupOptions, callback: Resolved): void => {
    const { resolve = lookup } = this.#options;
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const fit = this.#allowsHost(host) ? found : found.filter(({ address }) => this.allows(address));
      const [first] = fit;
      if (first === undefined) return callback(this.#refused(host), []);
      if (options.all === true) callback(null, fit);
      else callback(null, first.address, first.family);
    });
  };

  #allowsHost(host: string): boolean {
    const lower = host.toLowerCase();
    return this.#hosts.some((allowed) =>
      allowed.startsWith('*.') ? lower.endsWith(allowed.slice(1)) : lower === allowed,
    );
  }

  #refused(host: string): AddressRefused {
    return new AddressRefused(
      `${host} resolves to no public address; ${this.#options.setting} can allow what it resolves to`,
    );
  }
}

/** IPv6 addresses that are assigned to anybody; elsewhere `::7f00:1` is 127.0.0.1 in an old spelling. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/** The metadata service of Azure, which has a public address. */
const METADATA = new Set(['168.63.129.16']);

function isPublic(ip: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (ip.range() !== 'unicast' || METADATA.has(ip.toString())) return false;
  return ip.kind() === 'ipv4' || ip.match(GLOBAL_UNICAST);
}

function isNumeric(entry: string): boolean {
  return entry.includes('/') || entry.includes(':') || /^[\d.]+$/.test(entry);
}

function parseRange(entry: string): Range {
  try {
    if (entry.includes('/')) return ipaddr.parseCIDR(entry);
    const address = ipaddr.parse(entry);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    throw new RangeError(
      `${JSON.stringify(entry)} is neither an address, a range such as 10.0.0.0/8 nor a host`,
    );
  }
}

function isWithin(ip: ipaddr.IPv4 | ipaddr.IPv6, network: ipaddr.IPv4 | ipaddr.IPv6, bits: number): boolean {
  return ip.kind() === network.kind() && ip.match(network, bits);
}
