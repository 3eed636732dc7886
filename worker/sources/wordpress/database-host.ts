// Takes a DB_HOST apart as WordPress does, down to what PHP then connects to.

/** As the web server sees it. A `path` of null is the socket that clients use by themselves. */
export type DatabaseAddress =
  | { readonly kind: "socket"; readonly path: string | null }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

const defaultPort = 3306;

/** `host`, `host:3306`, `[::1]:3306`, `localhost:/run/mysqld.sock` and what else there is; null where WordPress gives up too. */
export function parseDatabaseHost(text: string): DatabaseAddress | null {
  const socketAt = text.indexOf(":/");
  const path = socketAt < 0 ? null : text.slice(socketAt + 1);
  const place = socketAt < 0 ? text : text.slice(0, socketAt);
  const isIpv6 = place.split(":").length > 2;
  const pattern = isIpv6 ? /^\[?(?<host>[0-9a-fA-F:]+)(?:\]:(?<port>\d+))?/ : /^(?<host>[^:/]*)(?::(?<port>\d+))?/;
  const { host = "", port = "" } = pattern.exec(place)?.groups ?? {};
  if (isIpv6 && host === "") return null;
  // PHP takes a port and a path for nothing else than what goes with them: `localhost` is never asked over TCP, and others always.
  if (host === "" || host === "0" || host.toLowerCase() === "localhost") return { kind: "socket", path };
  const number = Number(port) || defaultPort;
  return number > 65_535 ? null : { kind: "tcp", host, port: number };
}
