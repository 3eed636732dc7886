// Finds a port of the loopback address to listen on, the same one as last time where that is still free.
import { randomInt } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";

/** `file` remembers the port. Another process may take it before the caller does: be ready to ask again. */
export async function rememberedPort(file: string): Promise<number> {
  const remembered = Number.parseInt(await readFile(file, "utf8").catch(() => ""), 10);
  const port = (remembered > 0 ? await tryListen(remembered) : null) ?? (await freePort());
  if (port !== remembered) await writeFile(file, `${port}\n`);
  return port;
}

/** Below those that systems give to outgoing connections, one of which would take it before the caller listens. */
const lowest = 12_000;
const beyond = 32_000;
const tries = 50;

/** A port that is free at this moment. */
export async function freePort(): Promise<number> {
  for (let n = 0; n < tries; n++) {
    const port = await tryListen(randomInt(lowest, beyond));
    if (port !== null) return port;
  }
  throw new Error("127.0.0.1 has no free port left");
}

function tryListen(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : null));
    });
  });
}
