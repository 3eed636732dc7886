// Turns entries into a tar stream and a catalogue, one after another, and says what could not be kept of them.
import { createHash, type Hash, hash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { AbortGate } from "./abort-gate.ts";
import type { CatalogueLine } from "./catalogue.ts";
import type { Entry, Warning } from "./entry.ts";
import { pathBytes, pathFromBytes, printablePath } from "./entry-path.ts";
import { ArtifactError, EntryInterruptedError } from "./errors.ts";
import { LinkGuard } from "./link-guard.ts";
import type { Spool } from "./spool.ts";
import { encodeTarHeader, paddedBytes, type TarEntry } from "./tar/header.ts";
import { blockBytes } from "./tar/layout.ts";
import type { FrameWriter } from "./zstd/frame-writer.ts";

export interface PackerOptions {
  readonly tar: FrameWriter;
  /** Takes one line of the catalogue. */
  readonly note: (line: CatalogueLine) => Promise<void> | undefined;
  readonly warnings: Warning[];
  readonly gate: AbortGate;
  readonly openSpool: () => Promise<Spool>;
  /** Called after every piece of content and every entry. */
  readonly onAdvance: () => void;
}

/** How long a source may take to let go of what it holds after a failure. */
const releaseMs = 1000;

type Ending = "complete" | "longer" | "shorter" | "interrupted";

const plurals = { file: "files", directory: "directories", symlink: "symlinks", hardlink: "hardlinks" } as const;
const zeros = Buffer.alloc(65_536);

export class Packer {
  readonly counts = { files: 0, directories: 0, symlinks: 0, hardlinks: 0 };
  /** Content of the entries packed so far and of the one in hand. */
  contentBytes = 0;
  /** The content being read, for whoever has to end it early. */
  reading: AsyncIterator<Uint8Array> | null = null;
  readonly #options: PackerOptions;
  readonly #guard = new LinkGuard();

  constructor(options: PackerOptions) {
    this.#options = options;
  }

  async add(entry: Entry): Promise<void> {
    const name = pathBytes(entry.path);
    const linkName = entry.linkTarget === undefined ? null : pathBytes(entry.linkTarget);
    const refusal = this.#guard.admit({ kind: entry.kind, name, linkName });
    if (refusal !== null) {
      this.#warn(entry, "NAME_REFUSED", `Left out, because its name ${refusal}.`);
      await this.#leave(entry);
      return;
    }
    const header = headerOf(entry, name, linkName);
    if (entry.kind !== "file") await this.#leave(entry);
    if (entry.kind === "file" && entry.size === null) await this.#packSpooled(entry, header);
    else await this.#packStreamed(entry, header);
    this.#options.onAdvance();
  }

  /** Writes the two empty blocks that end a tar. */
  async end(): Promise<void> {
    await this.#write(zeros.subarray(0, 2 * blockBytes));
  }

  async #packStreamed(entry: Entry, header: TarEntry): Promise<void> {
    const { tar } = this.#options;
    const offset = tar.plainBytes;
    await this.#write(encodeTarHeader(header));
    const contentOffset = tar.plainBytes;
    if (entry.kind !== "file") return this.#record(header, { offset, contentOffset });

    if (entry.bytes?.length === header.size) {
      const { bytes } = entry;
      this.contentBytes += bytes.length;
      await this.#write(bytes);
      await this.#write(zeros.subarray(0, paddedBytes(header.size) - header.size));
      return this.#record(header, { offset, contentOffset, sha256: hash("sha256", bytes) });
    }
    const hashing = createHash("sha256");
    const ending = await this.#read(entry, hashing, header.size, (bytes) => tar.write(bytes));
    const missing = contentOffset + header.size - tar.plainBytes;
    for (let left = missing; left > 0; left -= zeros.length) {
      const padding = zeros.subarray(0, Math.min(left, zeros.length));
      hashing.update(padding);
      this.contentBytes += padding.length;
      await this.#write(padding);
    }
    this.#warnOfEnding(entry, ending, missing);
    await this.#write(zeros.subarray(0, paddedBytes(header.size) - header.size));
    await this.#record(header, { offset, contentOffset, sha256: hashing.digest("hex") });
  }

  /** The length comes first in a tar, and only the end tells it: the content waits in a spool, compressed as it will be stored. */
  async #packSpooled(entry: Entry, announced: TarEntry): Promise<void> {
    const { tar, gate, openSpool } = this.#options;
    await using spool = await openSpool();
    const hashing = createHash("sha256");
    const ending = await this.#read(entry, hashing, Number.MAX_SAFE_INTEGER, (bytes) => spool.frames.write(bytes));
    await gate.pass(spool.finish());
    const header = { ...announced, size: spool.frames.plainBytes };

    await gate.pass(tar.flush());
    const offset = tar.plainBytes;
    await this.#write(encodeTarHeader(header));
    const contentOffset = tar.plainBytes;
    for (const size of spool.frames.frames) {
      const frame = await gate.pass(spool.next(size));
      await gate.pass(tar.append(frame, size.plainBytes));
    }
    this.#warnOfEnding(entry, ending === "complete" ? ending : "interrupted", 0);
    await this.#write(zeros.subarray(0, paddedBytes(header.size) - header.size));
    await this.#record(header, { offset, contentOffset, sha256: hashing.digest("hex") });
  }

  /** Hands the content to `write`, `limit` bytes at most. */
  async #read(entry: Entry, hashing: Hash, limit: number, write: FrameWriter["write"]): Promise<Ending> {
    const { gate, onAdvance } = this.#options;
    const content = (entry.content ?? atHand(entry.bytes))[Symbol.asyncIterator]();
    this.reading = content;
    let left = limit;
    try {
      for (;;) {
        const { done, value } = await gate.pass(content.next());
        if (done) break;
        const bytes = value.length > left ? value.subarray(0, left) : value;
        hashing.update(bytes);
        left -= bytes.length;
        this.contentBytes += bytes.length;
        const written = write(bytes);
        if (written !== undefined) await gate.pass(written);
        onAdvance();
        if (bytes.length === value.length) continue;
        await gate.pass(Promise.resolve(content.return?.()));
        this.reading = null;
        return "longer";
      }
    } catch (error) {
      if (!(error instanceof EntryInterruptedError)) throw error;
      this.reading = null;
      return "interrupted";
    }
    this.reading = null;
    return left > 0 && entry.size !== null ? "shorter" : "complete";
  }

  /** Ends a content that is not wanted. */
  async #leave(entry: Entry): Promise<void> {
    const ended = entry.content?.[Symbol.asyncIterator]().return?.();
    if (ended !== undefined) await this.#options.gate.pass(Promise.resolve(ended));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const written = this.#options.tar.write(bytes);
    if (written !== undefined) await this.#options.gate.pass(written);
  }

  async #record(header: TarEntry, place: { offset: number; contentOffset: number; sha256?: string }): Promise<void> {
    const { kind, size, mode, mtimeMs, name, linkName } = header;
    this.counts[plurals[kind]] += 1;
    const linkTarget = linkName === null ? {} : { linkTarget: pathFromBytes(linkName) };
    const entry = { path: pathFromBytes(name), kind, size, mode, mtimeMs, ...place, ...linkTarget };
    const noted = this.#options.note({ kind: "entry", entry });
    if (noted !== undefined) await this.#options.gate.pass(noted);
  }

  #warnOfEnding(entry: Entry, ending: Ending, missing: number): void {
    const padded = missing > 0 ? ` Its last ${missing} bytes are zeros.` : "";
    if (ending === "interrupted") this.#warn(entry, "UNREADABLE", `It could not be read to its end.${padded}`);
    if (ending === "shorter") this.#warn(entry, "CHANGED_WHILE_READ", `It became shorter while it was read.${padded}`);
    if (ending === "longer")
      this.#warn(
        entry,
        "CHANGED_WHILE_READ",
        "It grew while it was read: what came after its announced size is left out.",
      );
  }

  #warn(entry: Entry, code: Warning["code"], message: string): void {
    this.#options.warnings.push({ code, path: printablePath(entry.path), message });
  }
}

async function* atHand(bytes: Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (bytes) yield bytes;
}

function headerOf(entry: Entry, name: Uint8Array, linkName: Uint8Array | null): TarEntry {
  const size = entry.kind === "file" ? (entry.size ?? 0) : 0;
  if (!Number.isSafeInteger(size) || size < 0)
    throw new ArtifactError("ENTRY_REFUSED", "A file was announced with an impossible size.", {
      path: printablePath(entry.path),
    });
  return {
    kind: entry.kind,
    name,
    size,
    mode: entry.mode & 0o7777,
    mtimeMs: wholeMs(entry.mtimeMs),
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    linkName: entry.kind === "symlink" || entry.kind === "hardlink" ? linkName : null,
  };
}

/** File systems hold times that no number does: the nearest there is, and the epoch for what is no time at all. */
function wholeMs(mtimeMs: number): number {
  const most = Number.MAX_SAFE_INTEGER;
  return Number.isNaN(mtimeMs) ? 0 : Math.floor(Math.min(most, Math.max(-most, mtimeMs)));
}

/** Packs every entry. A source is let go of whatever happens: its iterators are returned, but a stuck one is not waited for. */
export async function packAll(entries: AsyncIterable<Entry>, packer: Packer, gate: AbortGate): Promise<void> {
  const source = entries[Symbol.asyncIterator]();
  try {
    for (let next = await gate.pass(source.next()); !next.done; next = await gate.pass(source.next()))
      await packer.add(next.value);
    await packer.end();
  } catch (error) {
    const returned = [packer.reading, source].map(async (iterator) => iterator?.return?.());
    await Promise.race([Promise.allSettled(returned), setTimeout(releaseMs, undefined, { ref: false })]);
    throw error;
  }
}
