// Writes entries as a ZIP, one at a time: zip64 where needed, links as links, and no name changed without saying so inside.
import { once } from "node:events";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { ZipArchive, type ZipEntryData } from "archiver";
import type { Entry, EntryPath } from "../entry.ts";
import { printablePath } from "../entry-path.ts";
import { ExportError } from "./export-error.ts";
import { zipName } from "./zip-name.ts";

/** archiver keeps every entry, and writes the directory at the end in one go: about 10 KB of memory each. */
const maxEntries = 100_000;
const maxNamesBytes = 64 * 1024 * 1024;
/** The field for it has 16 bits. */
const maxNameBytes = 65_535;
/** Contents up to this are held in memory, one at a time. */
const wholeBytes = 256 * 1024;
/** Further notes are counted only. */
const maxNotesLength = 1024 * 1024;

/**
 * The bytes of the archive. A ZIP has no hard links (they become symbolic ones), and not every name can stand in it: what could not
 * be kept as it was is told in a last entry, `notesName`. Throws `ExportError` `TOO_MUCH` for more than fits into bounded memory.
 */
export async function* zip(entries: AsyncIterable<Entry>, notesName: string): AsyncGenerator<Uint8Array> {
  const filling = new Filling();
  const filled = filling.fill(entries, notesName);
  try {
    yield* filling.archive;
  } finally {
    filling.archive.destroy();
    await filled;
  }
}

class Filling {
  readonly archive = new ZipArchive({ zlib: { level: 1 } });
  readonly #closed = new AbortController();
  /** Names with a `%`: the only ones that two entries can come to share. */
  readonly #escaped = new Set<string>();
  #entries = 0;
  #namesBytes = 0;
  #notes = "";
  #notesLeftOut = 0;

  constructor() {
    this.archive.once("close", () => this.#closed.abort());
  }

  /** Never rejects: an error ends the archive, and comes out where that is read. */
  async fill(entries: AsyncIterable<Entry>, notesName: string): Promise<void> {
    try {
      for await (const entry of entries) await this.#add(entry);
      if (this.#notes) await this.#append(Buffer.from(this.#notesText()), { name: notesName, mode: 0o644 });
      await this.archive.finalize();
    } catch (error) {
      this.archive.destroy(error as Error);
    }
  }

  async #add(entry: Entry): Promise<void> {
    const name = this.#nameOf(entry);
    if (name === null) return;
    const data = { name, mode: entry.mode, date: new Date(entry.mtimeMs) };
    const target = entry.linkTarget ?? "";
    switch (entry.kind) {
      case "file":
        return this.#append(await sourceOf(entry), data);
      case "directory":
        return this.#append(Buffer.alloc(0), { ...data, type: "directory" });
      case "symlink":
        if (typeof target === "string") return this.#link(data, target);
        return this.#note(entry.path, "left out: it is a symbolic link to a name that is not UTF-8");
      case "hardlink":
        this.#note(entry.path, `was a hard link, and is a symbolic link to ${JSON.stringify(printablePath(target))}`);
        return this.#link(data, posix.relative(posix.dirname(name), zipName(target)));
    }
  }

  #link(data: ZipEntryData, linkname: string): Promise<void> {
    const link: ZipEntryData & { linkname: string } = { ...data, type: "symlink", linkname };
    return this.#append(Buffer.alloc(0), link);
  }

  /** Null: it has no name there. */
  #nameOf({ path }: Entry): string | null {
    if (path === ".") return null;
    let name = zipName(path);
    if (name.includes("%")) {
      while (this.#escaped.has(name)) name += "~";
      this.#escaped.add(name);
    }
    const bytes = Buffer.byteLength(name);
    this.#namesBytes += bytes;
    this.#entries += 1;
    if (this.#entries > maxEntries || this.#namesBytes > maxNamesBytes)
      throw new ExportError(
        "TOO_MUCH",
        `A ZIP holds ${maxEntries} entries at most here: restore as TAR, or select fewer paths.`,
      );
    if (bytes > maxNameBytes) {
      this.#note(path, "left out: its name is too long for a ZIP");
      return null;
    }
    if (name !== path) this.#note(path, `is stored as ${JSON.stringify(name)}`);
    return name;
  }

  #note(path: EntryPath, what: string): void {
    const note = `${JSON.stringify(printablePath(path))} ${what}\n`;
    if (this.#notes.length + note.length <= maxNotesLength) this.#notes += note;
    else this.#notesLeftOut += 1;
  }

  #notesText(): string {
    const more = this.#notesLeftOut > 0 ? `... and ${this.#notesLeftOut} more.\n` : "";
    return `A ZIP cannot hold everything as it was. The TAR form of the same restore can.\n\n${this.#notes}${more}`;
  }

  /** Resolves when all of it is in the archive: handed over one by one, entries never pile up. */
  async #append(source: Buffer | Readable, data: ZipEntryData): Promise<void> {
    const stored = once(this.archive, "entry", { signal: this.#closed.signal });
    stored.catch(() => undefined);
    // archiver does not hear of it when a source fails.
    const failed = Promise.withResolvers<never>();
    if (source instanceof Readable) source.once("error", failed.reject);
    try {
      this.archive.append(source, data);
      await Promise.race([stored, failed.promise]);
    } finally {
      if (source instanceof Readable) source.destroy();
    }
  }
}

/** Small contents whole: a stream of its own costs more than the bytes. */
async function sourceOf({ content, size }: Entry): Promise<Buffer | Readable> {
  if (!content) return Buffer.alloc(0);
  if (size === null || size > wholeBytes) return Readable.from(content, { objectMode: false });
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}
