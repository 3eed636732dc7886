// Reads the zstd seekable format 0.1.0 as its specification has it, strictly, and knows nothing of our reader.
import assert from "node:assert/strict";

const skippableMagic = 0x184d2a5e;
const seekableMagic = 0x8f92eab1;
const zstdMagic = 0xfd2fb528;
const footerBytes = 9;

export interface SeekableFrame {
  /** Where it starts in the stream: the sum of the compressed sizes in front of it. */
  readonly offset: number;
  readonly compressed: Buffer;
  readonly decompressedSize: number;
  /** The low half of the content's XXH64, where the table has checksums. */
  readonly checksum: number | null;
}

/** Throws where the stream is not frames that lie side by side, a seek table that tells exactly them, and nothing else. */
export function parseSeekable(stream: Buffer): SeekableFrame[] {
  const footer = stream.subarray(stream.length - footerBytes);
  assert.equal(footer.readUInt32LE(5), seekableMagic, "Seekable_Magic_Number");
  const descriptor = footer.readUInt8(4);
  assert.equal(descriptor & 0b0111_1100, 0, "Reserved_Bits");
  const hasChecksums = descriptor >> 7 === 1;
  const entryBytes = hasChecksums ? 12 : 8;
  const count = footer.readUInt32LE(0);

  const frameSize = count * entryBytes + footerBytes;
  const tableStart = stream.length - frameSize - 8;
  assert.ok(tableStart >= 0, "Number_Of_Frames");
  assert.equal(stream.readUInt32LE(tableStart), skippableMagic, "Skippable_Magic_Number");
  assert.equal(stream.readUInt32LE(tableStart + 4), frameSize, "Frame_Size");

  const frames: SeekableFrame[] = [];
  let offset = 0;
  for (let index = 0; index < count; index++) {
    const entry = tableStart + 8 + index * entryBytes;
    const end = offset + stream.readUInt32LE(entry);
    assert.ok(end <= tableStart, `Compressed_Size of frame ${index}`);
    frames.push({
      offset,
      compressed: stream.subarray(offset, end),
      decompressedSize: stream.readUInt32LE(entry + 4),
      checksum: hasChecksums ? stream.readUInt32LE(entry + 8) : null,
    });
    assert.ok(isFrame(stream.readUInt32LE(offset)), `magic number of frame ${index}`);
    offset = end;
  }
  assert.equal(offset, tableStart, "bytes between the last frame and the table");
  return frames;
}

function isFrame(magic: number): boolean {
  return magic === zstdMagic || magic >>> 4 === 0x184d2a5;
}
