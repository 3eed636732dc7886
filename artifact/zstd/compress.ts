// Compresses one frame on one of libuv's threads, in a single step that copies nothing.
import { constants, createZstdCompress } from "node:zlib";

/** Most that zstd makes of so many bytes: ZSTD_COMPRESSBOUND, for lengths over 128 KiB and a little more for shorter ones. */
const bound = (plainBytes: number) => plainBytes + Math.ceil(plainBytes / 256) + 128;

/**
 * One complete frame that tells its content size and ends with a checksum. `plain` must stay as it is until it resolves.
 *
 * A stream of its own for each frame, with room for whatever comes out: only a context that sees the whole input, its end and enough
 * room in its first call works in place. zlib's one-shot call and a stream that serves many frames both go by way of buffers inside,
 * which costs half as much again.
 */
export function compressFrame(plain: Uint8Array, level: number): Promise<Uint8Array<ArrayBuffer>> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  const pieces: Buffer<ArrayBuffer>[] = [];
  const stream = createZstdCompress({
    chunkSize: bound(plain.length),
    flush: constants.ZSTD_e_end,
    pledgedSrcSize: plain.length,
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  stream.on("data", (piece: Buffer<ArrayBuffer>) => pieces.push(piece));
  stream.on("error", reject);
  stream.write(plain, (error) => {
    stream.destroy();
    const [frame, ...more] = pieces;
    if (error) reject(error);
    else if (frame && more.length === 0) resolve(frame);
    else reject(new TypeError("a frame came out in several pieces"));
  });
  return promise;
}
