// Which hosts can be refused by their name alone, when a source is saved. What a name resolves to is checked where it is connected to.
import ipaddr from "ipaddr.js";

/** Names that every machine resolves to itself. */
const ownNames = /(^|\.)(localhost|localdomain|internal)\.?$/i;

/** `allowedNetworks` are in CIDR notation, e.g. `10.20.0.0/16`: what the operator allows although it is not public. */
export function isHostAllowed(host: string, allowedNetworks: readonly string[]): boolean {
  const literal = host.replace(/^\[(.*)\]$/, "$1");
  if (ipaddr.isValid(literal)) {
    const address = ipaddr.process(literal);
    return address.range() === "unicast" || allowedNetworks.some((network) => isWithin(address, network));
  }
  return !ownNames.test(host) || allowedNetworks.some((network) => isWithin(ipaddr.process("127.0.0.1"), network));
}

function isWithin(address: ReturnType<typeof ipaddr.process>, network: string): boolean {
  const range = ipaddr.parseCIDR(network);
  return range[0].kind() === address.kind() && address.match(range);
}
