// The seek table of the zstd seekable format: a skippable frame at the end that tells where every frame begins.
import { ArtifactError } from "../errors.ts";

export interface FrameSize {
  readonly storedBytes: number;
  readonly plainBytes: number;
}

/** Most plaintext in one frame: what a reader holds in memory at a time. */
const maxFrameBytes = 8_388_608;
/** More than zstd ever needs for a frame of that size. */
const maxStoredFrameBytes = maxFrameBytes + 65_536;

/** Longest table that a reader takes. */
export const maxTableBytes = 67_108_864;

const skippableMagic = 0x184d2a5e;
const seekableMagic = 0x8f92eab1;
const headBytes = 8;
const entryBytes = 8;
/** Number of frames, descriptor, magic: the last bytes of the stream. */
export const footerBytes = 9;

export function encodeSeekTable(frames: readonly FrameSize[]): Uint8Array {
  const table = new Uint8Array(headBytes + frames.length * entryBytes + footerBytes);
  const view = viewOf(table);
  view.setUint32(0, skippableMagic, true);
  view.setUint32(4, table.length - headBytes, true);
  let at = headBytes;
  for (const frame of frames) {
    view.setUint32(at, frame.storedBytes, true);
    view.setUint32(at + 4, frame.plainBytes, true);
    at += entryBytes;
  }
  view.setUint32(at, frames.length, true);
  // The descriptor stays 0: no checksums in the table, the encryption vouches for every byte.
  view.setUint32(at + 5, seekableMagic, true);
  return table;
}

/** Length of the whole table, told by its footer. */
export function seekTableBytes(footer: Uint8Array): number {
  const view = viewOf(footer);
  if (view.getUint32(5, true) !== seekableMagic || view.getUint8(4) !== 0) throw damaged("its footer is not one");
  return headBytes + view.getUint32(0, true) * entryBytes + footerBytes;
}

/** Where the frames of one stream lie, in both its stored and its plain form. */
export class FrameIndex {
  readonly count: number;
  /** Bytes in front of the seek table. */
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly #storedStarts: Float64Array;
  readonly #plainStarts: Float64Array;

  /** `table` is the whole skippable frame. Throws `ArtifactError` `ARTIFACT_CORRUPT` where it contradicts itself. */
  constructor(table: Uint8Array) {
    const view = viewOf(table);
    if (seekTableBytes(table.subarray(table.length - footerBytes)) !== table.length)
      throw damaged("its length is wrong");
    if (view.getUint32(0, true) !== skippableMagic || view.getUint32(4, true) !== table.length - headBytes)
      throw damaged("its head is not one");
    this.count = (table.length - headBytes - footerBytes) / entryBytes;
    this.#storedStarts = new Float64Array(this.count + 1);
    this.#plainStarts = new Float64Array(this.count + 1);
    for (let index = 0; index < this.count; index++) {
      const stored = view.getUint32(headBytes + index * entryBytes, true);
      const plain = view.getUint32(headBytes + index * entryBytes + 4, true);
      if (stored === 0 || stored > maxStoredFrameBytes || plain === 0 || plain > maxFrameBytes)
        throw damaged(`frame ${index} has an impossible size`);
      this.#storedStarts[index + 1] = (this.#storedStarts[index] ?? 0) + stored;
      this.#plainStarts[index + 1] = (this.#plainStarts[index] ?? 0) + plain;
    }
    this.storedBytes = this.#storedStarts[this.count] ?? 0;
    this.plainBytes = this.#plainStarts[this.count] ?? 0;
  }

  /** The frame that holds this byte of the plaintext, which must lie inside it. */
  frameAt(plainPosition: number): number {
    let [low, high] = [0, this.count - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#plainStarts[middle] ?? 0) <= plainPosition) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  frame(index: number): FrameSize & { readonly storedStart: number; readonly plainStart: number } {
    const storedStart = this.#storedStarts[index] ?? 0;
    const plainStart = this.#plainStarts[index] ?? 0;
    return {
      storedStart,
      plainStart,
      storedBytes: (this.#storedStarts[index + 1] ?? 0) - storedStart,
      plainBytes: (this.#plainStarts[index + 1] ?? 0) - plainStart,
    };
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(reason: string): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", `The table of frames is damaged: ${reason}.`);
}
