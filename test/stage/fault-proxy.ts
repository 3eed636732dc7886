// A TCP proxy in front of a real server, for the faults of a network: delay, a cut, a stall, each at a byte of one's choosing.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Faults {
  /** The connection that carries this byte from the server, counted over all connections, is reset. */
  readonly cutAtByte?: number;
  /** Nothing of any connection arrives any more from this byte on, and nobody is told. */
  readonly stallAtByte?: number;
  /** One way, for every chunk in either direction: a round trip costs twice this. */
  readonly delayMs?: number;
  /** Whether the fault strikes once, as a bad moment does, or whenever its byte has been passed. @default true */
  readonly once?: boolean;
}

export interface FaultProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** How many were opened so far. */
  readonly connections: () => number;
  /** Bytes that came from the server so far. */
  readonly bytes: () => number;
}

export async function stageFaultProxy(
  server: { readonly host: string; readonly port: number },
  { cutAtByte = Infinity, stallAtByte = Infinity, delayMs = 0, once: strikesOnce = true }: Faults = {},
): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  let bytes = 0;
  let struck = false;
  const proxy = createServer({ noDelay: true }, (client) => {
    connections++;
    const upstream = connect({ host: server.host, port: server.port, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    }
    upstream.on("data", (chunk: Buffer) => {
      const before = bytes;
      bytes += chunk.length;
      if (bytes > cutAtByte && !(strikesOnce && struck)) {
        struck = true;
        client.write(chunk.subarray(0, Math.max(0, cutAtByte - before)), () => client.resetAndDestroy());
        upstream.destroy();
      } else if (bytes > stallAtByte) upstream.pause();
      else pass(chunk, upstream, client);
    });
    client.on("data", (chunk: Buffer) => pass(chunk, client, upstream));
    upstream.on("end", () => later(() => client.end()));
    client.on("end", () => later(() => upstream.end()));
    upstream.on("close", () => later(() => client.destroySoon()));
    client.on("close", () => upstream.destroy());
  });

  function pass(chunk: Buffer, from: Socket, to: Socket): void {
    later(() => {
      if (to.destroyed || to.write(chunk)) return;
      from.pause();
      to.once("drain", () => from.resume());
    });
  }
  function later(act: () => void): void {
    if (delayMs === 0) act();
    else setTimeout(act, delayMs);
  }

  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    host: "127.0.0.1",
    port: (proxy.address() as AddressInfo).port,
    connections: () => connections,
    bytes: () => bytes,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => proxy.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
