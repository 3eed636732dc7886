// One address in front of several: each connection goes to the next that takes it, as behind any load balancer.
import { connect, createServer, type Socket } from "node:net";
import { freePort } from "../../../server/one-machine/port.ts";

export async function stageBalancer(urls: readonly string[]): Promise<{ readonly url: string } & AsyncDisposable> {
  const ports = urls.map((url) => Number(new URL(url).port));
  let turn = 0;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    open.add(near);
    near.on("close", () => open.delete(near));
    near.on("error", () => near.destroy());
    lead(near, ports.length);
  });
  function lead(near: Socket, triesLeft: number): void {
    const far = connect(ports[turn++ % ports.length] ?? 0, "127.0.0.1");
    let isConnected = false;
    far.once("connect", () => {
      isConnected = true;
      near.pipe(far).pipe(near);
    });
    far.on("error", () => {
      if (isConnected || triesLeft <= 1) near.destroy();
      else lead(near, triesLeft - 1);
    });
    far.on("close", () => isConnected && near.destroy());
    near.on("close", () => far.destroy());
  }
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
