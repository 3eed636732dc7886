// Seals streams as FORMAT.md describes it, with nothing of our writer: for artifacts that no writer makes.
import { hash } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { Encrypter } from "age-encryption";
import { fileNames, type Manifest } from "#artifact/node";
import type { MemoryStorage } from "../storage/memory.ts";
import { replaceFile, replaceManifest } from "./forging.ts";
import { recipient } from "./sealing.ts";

/** One row of a seek table, and the bytes that lie where it points. */
export interface HandFrame {
  readonly stored: Buffer;
  readonly storedBytes: number;
  readonly plainBytes: number;
}

export function frameOf(plain: Uint8Array): HandFrame {
  const stored = zstdCompressSync(plain);
  return { stored, storedBytes: stored.length, plainBytes: plain.length };
}

/** What the seek table says; a field that is not given is what it should be. */
export interface TableClaims {
  readonly rows?: readonly Pick<HandFrame, "storedBytes" | "plainBytes">[];
  readonly count?: number;
  readonly bodyBytes?: number;
  readonly skippableMagic?: number;
  readonly descriptor?: number;
  readonly seekableMagic?: number;
}

export function seekTable(frames: readonly HandFrame[], claims: TableClaims = {}): Buffer {
  const { rows = frames, skippableMagic = 0x184d2a5e, descriptor = 0, seekableMagic = 0x8f92eab1 } = claims;
  const { count = rows.length, bodyBytes = rows.length * 8 + 9 } = claims;
  const table = Buffer.alloc(8 + rows.length * 8 + 9);
  table.writeUInt32LE(skippableMagic, 0);
  table.writeUInt32LE(bodyBytes, 4);
  for (const [index, { storedBytes, plainBytes }] of rows.entries()) {
    table.writeUInt32LE(storedBytes, 8 + index * 8);
    table.writeUInt32LE(plainBytes, 12 + index * 8);
  }
  table.writeUInt32LE(count, table.length - 9);
  table.writeUInt8(descriptor, table.length - 5);
  table.writeUInt32LE(seekableMagic, table.length - 4);
  return table;
}

/** Frames and their table as one age file. */
export async function sealByHand(frames: readonly HandFrame[], table = seekTable(frames)): Promise<Buffer> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return Buffer.from(await encrypter.encrypt(Buffer.concat([...frames.map(({ stored }) => stored), table])));
}

type SealedFacts = Omit<Manifest["artifact"], "name">;

/** What a manifest says of these bytes. Not for more than one group of them. */
export function factsOf(bytes: Buffer, frames: readonly HandFrame[]): SealedFacts {
  const headerBytes = bytes.indexOf("\n", bytes.indexOf("\n--- ") + 1) + 1;
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 16_777_216) pieces.push(sha256(bytes.subarray(at, at + 16_777_216)));
  return {
    plainBytes: frames.reduce((sum, { plainBytes }) => sum + plainBytes, 0),
    storedBytes: bytes.length,
    frames: frames.length,
    headerBytes,
    headerSha256: hash("sha256", bytes.subarray(0, headerBytes)),
    sha256: hash("sha256", bytes),
    groups: {
      pieceBytes: 16_777_216,
      groupBytes: 16_777_216,
      sha256: pieces.map((digest) => hash("sha256", digest)),
    },
  };
}

export interface Replacement {
  readonly part: "artifact" | "catalogue";
  readonly frames: readonly HandFrame[];
  readonly table?: Buffer;
  /** What the manifest says besides. */
  readonly claims?: Partial<Manifest>;
  readonly facts?: Partial<SealedFacts>;
}

/** Puts a sealed file in the place of another, under documents that fit it. */
export async function replaceSealed(storage: MemoryStorage, replacement: Replacement): Promise<void> {
  const { part, frames, table, claims = {}, facts = {} } = replacement;
  const bytes = await sealByHand(frames, table);
  replaceFile(storage, fileNames[part], bytes);
  replaceManifest(storage, (manifest) => ({
    ...manifest,
    ...claims,
    [part]: { ...manifest[part], ...factsOf(bytes, frames), ...facts },
  }));
}

function sha256(bytes: Uint8Array): Buffer {
  return Buffer.from(hash("sha256", bytes), "hex");
}
