// Decompresses exactly one zstd frame whose two sizes are known, and refuses everything that is not that.
import type { Engine } from "../engine/engine.ts";
import { ArtifactError } from "../errors.ts";

const frameMagic = 0xfd2fb528;
const dictionaryIdBytes = [0, 1, 2, 4];
const rleBlock = 1;
const reservedBlock = 3;
/** Largest window: no frame may ask for more memory than the largest frame has bytes. */
const maxWindowBytes = 8_388_608;
/** A content size of two bytes counts from here. */
const shortSizeBase = 256;

/** Throws `ArtifactError`: `LIMIT_EXCEEDED` where more comes out than `plainBytes`, `ARTIFACT_CORRUPT` for the rest. */
export async function decompressFrame(engine: Engine, frame: Uint8Array, plainBytes: number): Promise<Uint8Array> {
  const { length, contentBytes } = describeFrame(frame);
  if (length !== frame.length) throw damaged("it is not one frame alone");
  if (contentBytes !== null && contentBytes > plainBytes) throw tooLarge(plainBytes);
  const plain = await engine.decompress(frame, plainBytes).catch((cause: unknown) => {
    throw cause instanceof RangeError ? tooLarge(plainBytes) : damaged("it does not decompress", cause);
  });
  if (plain.length !== plainBytes) throw damaged("it is shorter than it claims to be");
  return plain;
}

interface FrameDescription {
  /** Of the frame that the bytes begin with. */
  readonly length: number;
  /** What its header says of its plaintext, if anything. */
  readonly contentBytes: number | null;
}

/**
 * Walks the blocks of a frame. What follows a frame would go unseen here and yet come out of `zstd -d`: two readers would see two
 * different backups.
 */
function describeFrame(bytes: Uint8Array): FrameDescription {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (view.getUint32(0, true) !== frameMagic) throw damaged("it does not begin like one");
    const descriptor = view.getUint8(4);
    const singleSegment = (descriptor >> 5) & 1;
    if (!singleSegment && windowBytes(view.getUint8(5)) > maxWindowBytes) throw damaged("its window is too large");
    const sizeFlag = descriptor >> 6;
    const sizeBytes = sizeFlag === 0 ? singleSegment : 1 << sizeFlag;
    let at = 5 + (1 - singleSegment) + (dictionaryIdBytes[descriptor & 3] ?? 0);
    const contentBytes = contentSize(view, at, sizeBytes);
    at += sizeBytes;
    for (let last = false; !last; ) {
      const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
      const type = (block >> 1) & 3;
      if (type === reservedBlock) throw damaged("it has a block of an unknown type");
      last = (block & 1) === 1;
      at += 3 + (type === rleBlock ? 1 : block >> 3);
    }
    return { length: at + ((descriptor >> 2) & 1) * 4, contentBytes };
  } catch (cause) {
    if (cause instanceof ArtifactError) throw cause;
    throw damaged("it ends too early", cause);
  }
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(view: DataView, at: number, bytes: number): number | null {
  switch (bytes) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + shortSizeBase;
    case 4:
      return view.getUint32(at, true);
    case 8:
      return Number(view.getBigUint64(at, true));
    default:
      return null;
  }
}

function tooLarge(plainBytes: number): ArtifactError {
  return new ArtifactError("LIMIT_EXCEEDED", "A part of the backup is larger than it claims to be.", { plainBytes });
}

function damaged(reason: string, cause?: unknown): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", `A frame of the backup is damaged: ${reason}.`, {}, { cause });
}
