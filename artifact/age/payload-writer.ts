// Seals a stream of plaintext into the chunks of an age payload and hands them on in parts of a fixed size.
import { createSecretKey, type KeyObject } from "node:crypto";
import { chunkBytes, chunkNonce, storedChunkBytes, tagBytes } from "./chunk.ts";
import { sealChunk } from "./payload.ts";

const partBytes = 1_048_576;

export class PayloadWriter {
  readonly #key: KeyObject;
  readonly #send: (part: Uint8Array) => Promise<void>;
  /** The start of a chunk that more plaintext is expected for: only the end tells which chunk is the last. */
  readonly #chunk = Buffer.allocUnsafe(chunkBytes);
  #chunkUsed = 0;
  #chunks = 0;
  readonly #part = Buffer.allocUnsafe(partBytes + storedChunkBytes);
  #partUsed = 0;

  /** `lead` goes out in front of the first chunk, as it is. Parts are sent one after another and may be re-used once taken. */
  constructor(key: Uint8Array, lead: Uint8Array, send: (part: Uint8Array) => Promise<void>) {
    this.#key = createSecretKey(key);
    this.#send = send;
    this.#part.set(lead);
    this.#partUsed = lead.length;
  }

  /** Not to be called again before it resolved; `plain` must stay as it is until then. */
  async write(plain: Uint8Array): Promise<void> {
    let at = 0;
    while (at < plain.length) {
      if (this.#chunkUsed === chunkBytes) await this.#seal(this.#chunk, false);
      if (this.#chunkUsed === 0 && plain.length - at > chunkBytes) {
        await this.#seal(plain.subarray(at, at + chunkBytes), false);
        at += chunkBytes;
        continue;
      }
      const taken = Math.min(chunkBytes - this.#chunkUsed, plain.length - at);
      this.#chunk.set(plain.subarray(at, at + taken), this.#chunkUsed);
      this.#chunkUsed += taken;
      at += taken;
    }
  }

  async end(): Promise<void> {
    await this.#seal(this.#chunk.subarray(0, this.#chunkUsed), true);
    if (this.#partUsed > 0) await this.#send(this.#part.subarray(0, this.#partUsed));
  }

  async #seal(chunk: Uint8Array, last: boolean): Promise<void> {
    sealChunk(this.#key, chunkNonce(this.#chunks, last), chunk, this.#part.subarray(this.#partUsed));
    this.#chunks += 1;
    this.#chunkUsed = 0;
    this.#partUsed += chunk.length + tagBytes;
    if (this.#partUsed < partBytes) return;
    await this.#send(this.#part.subarray(0, partBytes));
    this.#part.copyWithin(0, partBytes, this.#partUsed);
    this.#partUsed -= partBytes;
  }
}
