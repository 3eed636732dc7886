// A proxy that understands passive FTP without TLS: it breaks connections at chosen bytes of what a real server sends.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface FtpProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Sign-ins so far, or at least attempts at them. */
  readonly connections: () => number;
  /** Commands so far, in order. */
  readonly commands: readonly string[];
}

/** Bytes are counted over all data connections. Each time one of them passes a byte of the list, it and its control connection are reset. */
export async function stageFtpProxy(
  { port }: { readonly port: number },
  { cutAtBytes }: { readonly cutAtBytes: readonly number[] },
): Promise<FtpProxy> {
  const sockets = new Set<Socket>();
  const listeners = new Set<Server>();
  const cuts = [...cutAtBytes];
  const commands: string[] = [];
  let connections = 0;
  let bytes = 0;

  function keep(...both: Socket[]): void {
    for (const socket of both)
      sockets.add(socket.on("error", () => undefined).on("close", () => void sockets.delete(socket)));
  }

  /** A port that leads, once, to a port of the server. */
  async function dataPort(upstreamPort: number, control: Socket): Promise<number> {
    const listener = createServer((client) => {
      listener.close();
      const upstream = connect(upstreamPort, "127.0.0.1");
      keep(client, upstream);
      upstream.on("data", (chunk: Buffer) => {
        const before = bytes;
        bytes += chunk.length;
        const cut = cuts[0];
        if (cut !== undefined && bytes > cut) {
          cuts.shift();
          bytes = cut;
          client.write(chunk.subarray(0, cut - before), () => {
            client.resetAndDestroy();
            control.resetAndDestroy();
          });
          upstream.destroy();
        } else if (!client.write(chunk)) {
          upstream.pause();
          client.once("drain", () => upstream.resume());
        }
      });
      upstream.on("end", () => client.end());
      client.on("close", () => upstream.destroy());
    });
    return listen(listener);
  }

  async function listen(server: Server): Promise<number> {
    listeners.add(server);
    server.on("close", () => listeners.delete(server));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  const proxy = createServer((client) => {
    connections++;
    const upstream = connect(port, "127.0.0.1");
    keep(client, upstream);
    client.on("data", (chunk: Buffer) => {
      commands.push(...chunk.toString("latin1").split("\r\n").filter(Boolean));
      upstream.write(chunk);
    });
    let rest = "";
    let passed: Promise<unknown> = Promise.resolve();
    upstream.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString("latin1")).split("\r\n");
      rest = lines.pop() ?? "";
      for (const line of lines)
        passed = passed.then(async () => {
          const wanted = /^229 .*\|\|\|(\d+)\|/.exec(line)?.[1];
          const told = wanted ? `229 passive (|||${await dataPort(Number(wanted), client)}|)` : line;
          client.write(Buffer.from(`${told}\r\n`, "latin1"));
        });
    });
    upstream.on("close", () => void passed.then(() => client.destroySoon()));
    client.on("close", () => upstream.destroy());
  });
  const ownPort = await listen(proxy);
  return {
    host: "127.0.0.1",
    port: ownPort,
    connections: () => connections,
    commands,
    async [Symbol.asyncDispose]() {
      const closed = [...listeners].map((each) => new Promise<void>((resolve) => each.close(() => resolve())));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}
