// Compresses one frame at a time on one of libuv's threads, with a context and a buffer that serve frame after frame.
import { constants, createZstdCompress, type ZstdCompress } from "node:zlib";

/** Output that one round through the thread pool may fill: zlib's own 16 KiB would be hundreds of rounds for every frame. */
const roundBytes = 262_144;

export class Compressor implements Disposable {
  readonly #stream: ZstdCompress;
  #pieces: Buffer[] = [];

  constructor(level: number) {
    this.#stream = createZstdCompress({
      chunkSize: roundBytes,
      // Every write ends a frame of its own. zlib's one-shot call would take each frame in two steps, by way of a copy.
      flush: constants.ZSTD_e_end,
      params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
    });
    this.#stream.on("data", (piece: Buffer) => this.#pieces.push(piece));
    // A failed write tells its own callback as well.
    this.#stream.on("error", () => {});
  }

  /** The pieces of one complete frame. `plain` must stay as it is, and no other frame be begun, before it resolves. */
  compress(plain: Uint8Array): Promise<Buffer[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer[]>();
    this.#pieces = [];
    this.#stream.write(plain, (error) => (error ? reject(error) : resolve(this.#pieces)));
    return promise;
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }
}
