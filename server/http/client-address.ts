// Tells which address a request comes from, through as many proxies of the operator's own as there are in front.
import type { IncomingMessage } from "node:http";
import ipaddr from "ipaddr.js";

/**
 * What callers are told apart by: an IPv4 address, or the /64 network of an IPv6 address, of which anybody has all. With
 * `proxies` in front, each of which appends the address it was called from, the last that many entries of `X-Forwarded-For`
 * are theirs; what stands before them anybody could have written.
 */
export function clientAddress({ headers, socket }: IncomingMessage, proxies: number): string {
  const forwarded = [headers["x-forwarded-for"] ?? []].flat().join(",").split(",");
  const claimed = proxies > 0 ? forwarded.at(-proxies)?.trim() : undefined;
  const address = claimed && ipaddr.isValid(claimed) ? claimed : (socket.remoteAddress ?? "");
  if (!ipaddr.isValid(address)) return "unknown";
  const parsed = ipaddr.process(address);
  return parsed.kind() === "ipv4"
    ? parsed.toString()
    : `${parsed.toNormalizedString().split(":").slice(0, 4).join(":")}::/64`;
}
