// Sends a part of a prepared download, and finds out as far as a server can whether it arrived.
import type { FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import type { Sending } from "./delivery.ts";

/** How a connection breaks; anything else is a file that cannot be read. */
const hangUps = ["ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED", "ECONNRESET", "EPIPE", "ETIMEDOUT"];

/** False where the connection broke before everything was handed to the network. */
export async function transfer(file: FileHandle, sending: Sending, response: ServerResponse): Promise<boolean> {
  const { start, end } = sending.range;
  const content = file.createReadStream({ start, end: end - 1, highWaterMark: 256 * 1024, autoClose: false });
  async function* counted(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      sending.sentTo += chunk.length;
      yield chunk;
    }
  }
  try {
    await pipeline(content, counted, response);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && hangUps.includes(String(error.code))) return false;
    throw error;
  }
}

type Verdict = (arrived: boolean) => Promise<void>;

/**
 * The last megabytes of a response lie in buffers when it is "finished". That they arrived shows in how the client parts: it asks for
 * something else on the same connection, or ends it in peace. One that went away early leaves unread bytes behind: a reset.
 */
export class Arrivals {
  readonly #verdicts = new WeakMap<Socket, Verdict>();
  #isClosed = false;

  watch(socket: Socket): void {
    // Node closes outright after a last response, and would never hear of a reset: it sends its own end and waits for the client's.
    socket.destroySoon = () => void socket.end();
    socket.once("end", () => void this.#judge(socket, true));
    socket.once("close", (hadError) => void this.#judge(socket, !hadError));
  }

  /** A response is finished on this connection; `verdict` follows, and must not throw. */
  expect(socket: Socket, verdict: Verdict): void {
    this.#verdicts.set(socket, verdict);
    if (socket.destroyed) void this.#judge(socket, socket.errored === null);
  }

  /** Another request came in on the connection; resolves when the verdict on the response before it has been carried out. */
  async returned(socket: Socket): Promise<void> {
    await this.#judge(socket, true);
  }

  /** From now on connections end because the server goes away, which tells nothing. */
  close(): void {
    this.#isClosed = true;
  }

  async #judge(socket: Socket, arrived: boolean): Promise<void> {
    const verdict = this.#verdicts.get(socket);
    this.#verdicts.delete(socket);
    await verdict?.(arrived && !this.#isClosed);
  }
}
