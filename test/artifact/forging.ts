// Makes artifacts that no writer makes: tampered bytes under documents that fit them, and sealed streams with anything inside.
import { hash } from "node:crypto";
import { fileNames, type Manifest, parseManifest } from "#artifact/node";
import { manifestText, metaText, type SealedFile } from "../../artifact/manifest.ts";
import { openSealedWriter, type SealedWriter } from "../../artifact/sealed-writer.ts";
import { StoredBytes } from "../../artifact/stored-bytes.ts";
import { Tally } from "../../artifact/tally.ts";
import type { MemoryStorage } from "../storage/memory.ts";
import { directory, recipient, type Sealed, sealTree } from "./sealing.ts";

export function storedBytes(storage: MemoryStorage, name: string): Buffer {
  return storage.files.get(`${directory}/${name}`) ?? Buffer.alloc(0);
}

/** Replaces a file's bytes and nothing else. */
export function replaceFile(storage: MemoryStorage, name: string, bytes: Buffer): void {
  storage.files.set(`${directory}/${name}`, bytes);
}

/** Writes a manifest, and the meta.json that fits it. */
export function replaceManifest(storage: MemoryStorage, change: (manifest: Manifest) => Manifest): void {
  const manifest = change(parseManifest(storedBytes(storage, fileNames.manifest).toString()));
  const text = manifestText(manifest);
  replaceFile(storage, fileNames.manifest, Buffer.from(text));
  replaceFile(storage, fileNames.meta, Buffer.from(metaText(manifest, hash("sha256", text))));
}

/** Replaces the artifact by bytes that were tampered with, under documents that vouch for them. */
export function forgeArtifactBytes(storage: MemoryStorage, bytes: Buffer): void {
  const tally = new Tally();
  tally.update(bytes);
  replaceFile(storage, fileNames.artifact, bytes);
  replaceManifest(storage, (manifest) => ({
    ...manifest,
    artifact: {
      ...manifest.artifact,
      storedBytes: bytes.length,
      groups: tally.end().groups,
      sha256: hash("sha256", bytes),
    },
  }));
}

/** An artifact whose sealed stream `fill` writes, with a manifest that says of it what it says of `entries` files of `plainBytes`. */
export async function forgeArtifact(
  fill: (writer: SealedWriter) => Promise<void>,
  claims: Partial<Manifest> & { readonly file?: Partial<Omit<SealedFile, "name">> } = {},
): Promise<Sealed> {
  const { file: fileClaims, ...manifestClaims } = claims;
  const sealed = await sealTree([]);
  const parts: Buffer[] = [];
  using writer = await openSealedWriter({
    upload: { send: async (part) => void parts.push(Buffer.from(part)), finish: async () => {} },
    recipients: [recipient],
    frameBytes: 4_194_304,
    level: 3,
    fail: () => {},
    stored: new StoredBytes(),
  });
  await fill(writer);
  const { checksums: _, ...facts } = await writer.end();
  const bytes = Buffer.concat(parts);
  replaceFile(sealed.storage, fileNames.artifact, bytes);
  replaceManifest(sealed.storage, (manifest) => ({
    ...manifest,
    counts: { files: 1000, directories: 0, symlinks: 0, hardlinks: 0 },
    plainBytes: 1_000_000_000,
    ...manifestClaims,
    artifact: { ...manifest.artifact, ...facts, sha256: hash("sha256", bytes), ...fileClaims },
  }));
  return sealed;
}
