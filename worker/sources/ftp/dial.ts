// Opens a TCP connection to an address that was checked, within a bounded time.
import { connect, type Socket } from "node:net";

const connectTimeoutMs = 20_000;
/** The connection for commands is silent while a file comes: without this, routers forget it. */
const keepAliveInitialDelay = 60_000;

/** Rejects with the error of the socket, or one with the code ETIMEDOUT; `signal` ends the waiting with that as well. */
export async function dial(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay });
  const giveUp = () => reject(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" }));
  const timeout = setTimeout(giveUp, connectTimeoutMs);
  signal.addEventListener("abort", giveUp, { once: true });
  // Whoever reads it hears of later errors when reading; nobody may be reading yet.
  socket.once("connect", resolve).on("error", reject);
  try {
    if (signal.aborted) giveUp();
    await promise;
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timeout);
    signal.removeEventListener("abort", giveUp);
  }
}
