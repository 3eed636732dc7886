// A TCP balancer in front of several hubs, as operators have one: each connection goes to the next that takes it.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Balancer extends AsyncDisposable {
  readonly url: string;
}

/** `urls` of servers on the loopback address. A connection breaks with the server that it went to. */
export async function stageBalancer(urls: readonly string[]): Promise<Balancer> {
  const ports = urls.map((url) => Number(new URL(url).port));
  const sockets = new Set<Socket>();
  let turn = 0;

  function keep(socket: Socket): Socket {
    sockets.add(socket);
    return socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  }

  async function reach(): Promise<Socket | null> {
    for (let tries = 0; tries < ports.length; tries++) {
      const upstream = connect({ host: "127.0.0.1", port: ports[turn++ % ports.length] ?? 0, noDelay: true });
      const isReached = await once(upstream, "connect").then(
        () => true,
        () => false,
      );
      if (isReached) return keep(upstream);
    }
    return null;
  }

  const server = createServer({ noDelay: true, pauseOnConnect: true }, async (client) => {
    keep(client);
    const upstream = await reach();
    if (!upstream || client.destroyed) {
      client.resetAndDestroy();
      upstream?.destroy();
      return;
    }
    client.pipe(upstream).pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
