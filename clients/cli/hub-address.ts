// Reads the address of a hub, as people write it.
import { CommandError, exitCodes } from "./failure.ts";

/** The address of the API; the hub's own address will do. */
export function endpointOf(text: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== "")
    throw new CommandError(`"${text}" is not the address of a hub, such as https://vault.example.com/graphql.`, {
      exitCode: exitCodes.usage,
    });
  if (url.pathname === "/") url.pathname = "/graphql";
  return url;
}

/** Whether what is sent there can be read on its way. */
export function isOpenToOthers({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && !isLoopback(hostname);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
