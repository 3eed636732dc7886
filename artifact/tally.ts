// Counts and hashes bytes on their way: the whole, and groups of pieces that can be checked one at a time.
import { createHash, type Hash } from "node:crypto";

/** Groups of a manifest: past that they double in size, so that a manifest stays small whatever the artifact. */
const maxGroups = 1024;

export interface Groups {
  readonly pieceBytes: number;
  readonly groupBytes: number;
  readonly sha256: string[];
}

export class Tally {
  bytes = 0;
  readonly #pieceBytes: number;
  readonly #whole = createHash("sha256");
  #piece: Hash | null = null;
  #pieceUsed = 0;
  readonly #digests: Buffer[] = [];

  /** A manifest's pieces have 16 MiB. */
  constructor(pieceBytes = 16_777_216) {
    this.#pieceBytes = pieceBytes;
  }

  update(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.#whole.update(bytes);
    for (let at = 0; at < bytes.length; ) {
      this.#piece ??= createHash("sha256");
      const taken = Math.min(this.#pieceBytes - this.#pieceUsed, bytes.length - at);
      this.#piece.update(bytes.subarray(at, at + taken));
      this.#pieceUsed += taken;
      at += taken;
      if (this.#pieceUsed === this.#pieceBytes) this.#endPiece(this.#piece);
    }
  }

  /** To be called once, at the end. */
  end(): { sha256: string; groups: Groups } {
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
    return { sha256: this.#whole.digest("hex"), groups };
  }

  #endPiece(piece: Hash): void {
    this.#digests.push(piece.digest());
    this.#piece = null;
    this.#pieceUsed = 0;
  }
}
