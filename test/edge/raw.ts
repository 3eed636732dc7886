// Speaks to a server in bytes, as no well-behaved client would.
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  /** Everything that came until the other side, or the time, ended it. */
  readonly text: string;
  /** Whether the other side ended it. */
  readonly ended: boolean;
  readonly tookMs: number;
}

/** Sends bytes, one chunk after the other with `pauseMs` in between, and listens until the end of the connection. */
export async function sendRaw(
  url: string,
  chunks: Iterable<string | Uint8Array>,
  { pauseMs = 0, withinMs = 3_000 }: { pauseMs?: number; withinMs?: number } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const began = performance.now();
  const socket: Socket = connect(Number(port), hostname);
  const { promise: over, resolve } = Promise.withResolvers<boolean>();
  let text = "";
  socket.on("data", (bytes) => {
    text += bytes.toString("latin1");
  });
  socket.once("close", () => resolve(true));
  socket.on("error", () => undefined);
  const timer = setTimeout(resolve, withinMs, false);
  for (const chunk of chunks) {
    if (socket.destroyed || socket.writableEnded) break;
    socket.write(chunk);
    if (pauseMs > 0) await Promise.race([new Promise((next) => setTimeout(next, pauseMs)), over]);
  }
  const ended = await over;
  clearTimeout(timer);
  socket.destroy();
  return { text, ended, tookMs: performance.now() - began };
}

export function statusOf({ text }: RawAnswer): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
}
