// Counts and hashes bytes on their way into a file: in groups of pieces that can be checked one at a time later, and in checksums
// that what the storage gives back is held against at once.
import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { maxGroups, pieceBytes } from "./manifest.ts";

export interface Groups {
  readonly pieceBytes: number;
  readonly groupBytes: number;
  readonly sha256: string[];
}

export interface Written {
  readonly storedBytes: number;
  readonly groups: Groups;
  /** CRC-32 of one piece after another. */
  readonly checksums: readonly number[];
}

export class Tally {
  bytes = 0;
  readonly #pieceBytes: number;
  #piece: Hash | null = null;
  #pieceUsed = 0;
  #checksum = 0;
  readonly #digests: Buffer[] = [];
  readonly #checksums: number[] = [];

  constructor(ofPieceBytes = pieceBytes) {
    this.#pieceBytes = ofPieceBytes;
  }

  update(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      this.#piece ??= createHash("sha256");
      const taken = bytes.subarray(at, at + this.#pieceBytes - this.#pieceUsed);
      this.#piece.update(taken);
      this.#checksum = crc32(taken, this.#checksum);
      this.#pieceUsed += taken.length;
      at += taken.length;
      if (this.#pieceUsed === this.#pieceBytes) this.#endPiece(this.#piece);
    }
  }

  /** To be called once, at the end. */
  end(): Written {
    if (this.#piece) this.#endPiece(this.#piece);
    let pieces = 1;
    while (this.#digests.length > pieces * maxGroups) pieces *= 2;
    const sha256: string[] = [];
    for (let at = 0; at < this.#digests.length; at += pieces) {
      const group = createHash("sha256");
      for (const digest of this.#digests.slice(at, at + pieces)) group.update(digest);
      sha256.push(group.digest("hex"));
    }
    const groups = { pieceBytes: this.#pieceBytes, groupBytes: pieces * this.#pieceBytes, sha256 };
    return { storedBytes: this.bytes, groups, checksums: this.#checksums };
  }

  #endPiece(piece: Hash): void {
    this.#digests.push(piece.digest());
    this.#checksums.push(this.#checksum);
    this.#piece = null;
    this.#pieceUsed = 0;
    this.#checksum = 0;
  }
}
