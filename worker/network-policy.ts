// Decides which of the hosts that customers name may be connected to, and to which address exactly.
import { lookup as systemLookup } from "node:dns/promises";
import ipaddr from "ipaddr.js";
import { SourceError } from "./sources/source-error.ts";

type Address = ReturnType<typeof ipaddr.process>;
export type Network = ReturnType<typeof ipaddr.parseCIDR>;

/** Public by its number and private all the same: Azure's metadata and DNS service. */
const hostServices: readonly Network[] = [ipaddr.parseCIDR("168.63.129.16/32")];
const globalUnicast = ipaddr.parseCIDR("2000::/3");

const resolveTimeoutMs = 10_000;

export interface ResolveOptions {
  /** Networks that the operator allows although they are not public. */
  readonly allowedNetworks: readonly Network[];
  readonly signal: AbortSignal;
  /** How names become addresses; the system's way unless a test has its own. */
  readonly lookup?: (name: string) => Promise<readonly { readonly address: string }[]>;
}

/** Throws where `text` is no network in CIDR notation, e.g. `10.20.0.0/16`. */
export function parseNetwork(text: string): Network {
  return ipaddr.parseCIDR(text);
}

/**
 * The one address to connect to, in its canonical form. The name is resolved once and every address it has is checked, so that
 * a second answer of its DNS server is never asked for and one bad address spoils the name. Throws `SourceError`
 * HOST_NOT_ALLOWED or, for unknown names, SOURCE_DISCONNECTED.
 */
export async function resolveHost(host: string, options: ResolveOptions): Promise<string> {
  const addresses = await addressesOf(host.replace(/\.$/, ""), options);
  for (const address of addresses) if (!isAllowed(address, options.allowedNetworks)) throw notAllowed(host);
  // IPv4 first: a worker in a container seldom has a way out over IPv6.
  const chosen = addresses.find((address) => address.kind() === "ipv4") ?? addresses[0];
  if (!chosen) throw unknownHost(host);
  return chosen.toString();
}

async function addressesOf(host: string, { signal, lookup = resolveName }: ResolveOptions): Promise<Address[]> {
  const literal = host.replace(/^\[(.*)\]$/, "$1");
  // Also 2130706433, 0x7f.1 and 0177.0.0.1: whatever the system's resolver would take for an address.
  if (ipaddr.isValid(literal)) return [ipaddr.process(literal)];
  const lastLabel = host.slice(host.lastIndexOf(".") + 1);
  if (!/^[A-Za-z0-9._-]{1,253}$/.test(host) || /^(\d+|0x[0-9a-f]*)$/i.test(lastLabel)) throw notAllowed(host);
  let found: readonly { readonly address: string }[];
  try {
    found = await interruptible(lookup(host), AbortSignal.any([signal, AbortSignal.timeout(resolveTimeoutMs)]));
  } catch (error) {
    signal.throwIfAborted();
    throw unknownHost(host, error);
  }
  return found.map(({ address }) => ipaddr.process(address));
}

function isAllowed(address: Address, allowedNetworks: readonly Network[]): boolean {
  if (allowedNetworks.some((network) => isWithin(address, network))) return true;
  if (address.range() !== "unicast" || hostServices.some((network) => isWithin(address, network))) return false;
  return address.kind() === "ipv4" || isWithin(address, globalUnicast);
}

function isWithin(address: Address, network: Network): boolean {
  return address.kind() === network[0].kind() && address.match(network);
}

function resolveName(name: string) {
  return systemLookup(name, { all: true });
}

/** `dns.lookup` knows no signal: its answer is dropped instead. */
async function interruptible<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const interrupted = Promise.withResolvers<never>();
  const interrupt = () => interrupted.reject(signal.reason);
  signal.addEventListener("abort", interrupt, { once: true });
  if (signal.aborted) interrupt();
  try {
    return await Promise.race([work, interrupted.promise]);
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}

function notAllowed(host: string): SourceError {
  return new SourceError(
    "HOST_NOT_ALLOWED",
    `The host “${printable(host)}” is not a public address. Name one that can be reached over the internet, or ask the operator of this installation to allow its network.`,
  );
}

function unknownHost(host: string, cause?: unknown): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The host “${printable(host)}” could not be found. Check its spelling and its DNS records.`,
    { cause },
  );
}

function printable(host: string): string {
  return host.slice(0, 253).replace(/[^\x21-\x7e]/g, "?");
}
