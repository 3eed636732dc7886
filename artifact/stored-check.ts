// Compares the stored bytes of a file with the hashes in its manifest, one group after another: the first bad one ends it.
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Engine, RunningHash } from "./engine/engine.ts";
import { ArtifactError } from "./errors.ts";
import { maxGroups, pieceBytes, type SealedFile } from "./manifest.ts";

export class StoredCheck {
  readonly #engine: Engine;
  readonly #facts: SealedFile;
  readonly #whole: RunningHash;
  #piece: RunningHash;
  #group: RunningHash;
  #bytes = 0;

  /** Throws `ArtifactError` `ARTIFACT_CORRUPT` where the manifest's groups are not those of a file of its length. */
  constructor(engine: Engine, facts: SealedFile) {
    if (!hasTrueGroups(facts)) throw damaged(facts.name);
    this.#engine = engine;
    this.#facts = facts;
    this.#whole = engine.startSha256();
    this.#piece = engine.startSha256();
    this.#group = engine.startSha256();
  }

  /** Throws as soon as a group has another hash, with its place in the file. */
  update(bytes: Uint8Array): void {
    this.#whole.update(bytes);
    for (let at = 0; at < bytes.length; ) {
      const taken = Math.min(pieceBytes - (this.#bytes % pieceBytes), bytes.length - at);
      this.#piece.update(bytes.subarray(at, at + taken));
      this.#bytes += taken;
      at += taken;
      if (this.#bytes % pieceBytes === 0) this.#endPiece();
    }
  }

  /** To be called once, at the end. */
  end(): void {
    if (this.#bytes % pieceBytes > 0) this.#endPiece();
    if (this.#bytes % this.#facts.groups.groupBytes > 0) this.#endGroup();
    if (this.#bytes !== this.#facts.storedBytes || bytesToHex(this.#whole.digest()) !== this.#facts.sha256)
      throw damaged(this.#facts.name);
  }

  #endPiece(): void {
    this.#group.update(this.#piece.digest());
    this.#piece = this.#engine.startSha256();
    if (this.#bytes % this.#facts.groups.groupBytes === 0) this.#endGroup();
  }

  #endGroup(): void {
    const { name, groups } = this.#facts;
    const index = Math.ceil(this.#bytes / groups.groupBytes) - 1;
    if (bytesToHex(this.#group.digest()) !== groups.sha256[index])
      throw damaged(name, { position: index * groups.groupBytes, length: groups.groupBytes });
    this.#group = this.#engine.startSha256();
  }
}

/** There is one way to cut a length into groups. */
function hasTrueGroups({ storedBytes, groups }: SealedFile): boolean {
  let groupBytes = pieceBytes;
  while (Math.ceil(storedBytes / groupBytes) > maxGroups) groupBytes *= 2;
  return (
    groups.pieceBytes === pieceBytes &&
    groups.groupBytes === groupBytes &&
    groups.sha256.length === Math.ceil(storedBytes / groupBytes)
  );
}

function damaged(file: string, facts: Record<string, number> = {}): ArtifactError {
  const message = `${file} is damaged: its bytes are not those that were sealed.`;
  return new ArtifactError("ARTIFACT_CORRUPT", message, { file, ...facts });
}
