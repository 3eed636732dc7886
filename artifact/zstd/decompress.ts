// Decompresses exactly one zstd frame whose two sizes are known, and refuses everything that is not that.
import { constants, zstdDecompress } from "node:zlib";
import { ArtifactError } from "../errors.ts";

const frameMagic = 0xfd2fb528;
const dictionaryIdBytes = [0, 1, 2, 4];
const rleBlock = 1;
const reservedBlock = 3;
/** log2 of the largest window: no frame may ask for more memory than the largest frame has bytes. */
const maxWindowLog = 23;

/** Throws `ArtifactError`: `LIMIT_EXCEEDED` where more comes out than `plainBytes`, `ARTIFACT_CORRUPT` for the rest. */
export async function decompressFrame(frame: Buffer, plainBytes: number): Promise<Buffer> {
  if (frameLength(frame) !== frame.length) throw damaged("it is not one frame alone");
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = {
    chunkSize: plainBytes + 64,
    maxOutputLength: plainBytes,
    params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
  };
  zstdDecompress(frame, options, (error, plain) => {
    if (error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
      reject(
        new ArtifactError("LIMIT_EXCEEDED", "A part of the backup is larger than it claims to be.", { plainBytes }),
      );
    else if (error) reject(damaged("it does not decompress", error));
    else if (plain.length !== plainBytes) reject(damaged("it is shorter than it claims to be"));
    else resolve(plain);
  });
  return promise;
}

/**
 * Bytes of the frame that `bytes` begin with, found by walking its blocks. What follows a frame would go unseen here and yet come out
 * of `zstd -d`: two readers would see two different backups.
 */
function frameLength(bytes: Buffer): number {
  try {
    if (bytes.readUInt32LE(0) !== frameMagic) throw damaged("it does not begin like one");
    const descriptor = bytes.readUInt8(4);
    const singleSegment = (descriptor >> 5) & 1;
    const sizeFlag = descriptor >> 6;
    const sizeBytes = sizeFlag === 0 ? singleSegment : 1 << sizeFlag;
    let at = 5 + (1 - singleSegment) + (dictionaryIdBytes[descriptor & 3] ?? 0) + sizeBytes;
    for (let last = false; !last; ) {
      const block = bytes.readUIntLE(at, 3);
      const type = (block >> 1) & 3;
      if (type === reservedBlock) throw damaged("it has a block of an unknown type");
      last = (block & 1) === 1;
      at += 3 + (type === rleBlock ? 1 : block >> 3);
    }
    return at + ((descriptor >> 2) & 1) * 4;
  } catch (cause) {
    if (cause instanceof ArtifactError) throw cause;
    throw damaged("it ends too early", cause);
  }
}

function damaged(reason: string, cause?: unknown): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", `A frame of the backup is damaged: ${reason}.`, {}, { cause });
}
