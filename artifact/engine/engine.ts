// What reading needs of the machine it runs on: hashing, opening chunks and decompressing frames. Everything else is written once.

export interface Engine {
  /** 64 lower-case hexadecimal digits. */
  sha256(bytes: Uint8Array): string;
  startSha256(): RunningHash;
  /** HKDF-SHA-256, 32 bytes long. */
  deriveKey(secret: Uint8Array, salt: Uint8Array, info: string): Uint8Array;
  /** For all the chunks under one ChaCha20-Poly1305 key. */
  chunkOpener(key: Uint8Array): ChunkOpener;
  /**
   * The plaintext of exactly one zstd frame, whose content checksum is checked where it has one. Rejects for what does not decompress
   * into `plainBytes` at most: with a `RangeError` where more would come out and that can be told.
   */
  decompress(frame: Uint8Array, plainBytes: number): Promise<Uint8Array>;
}

/**
 * Opens one chunk, ciphertext and tag, into `target`, which is shorter than it by the tag. False where it is not the chunk that was
 * sealed under this nonce: what `target` holds then is of no use.
 */
export type ChunkOpener = (nonce: Uint8Array, stored: Uint8Array, target: Uint8Array) => boolean;

export interface RunningHash {
  update(bytes: Uint8Array): void;
  /** To be called once, at the end. */
  digest(): Uint8Array;
}
