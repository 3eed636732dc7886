// Entries as literals, in the order in which a source would give them.
import type { Entry } from "#artifact/node";

const mtimeMs = Date.UTC(2026, 0, 2, 3, 4, 6);

export function file(path: Entry["path"], content: string | Uint8Array, mode = 0o644): Entry {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return { path, kind: "file", size: bytes.length, mode, mtimeMs, content: once(bytes) };
}

export function directory(path: string): Entry {
  return { path, kind: "directory", size: 0, mode: 0o755, mtimeMs };
}

export function symlink(path: string, linkTarget: Entry["path"]): Entry {
  return { path, kind: "symlink", size: 0, mode: 0o777, mtimeMs, linkTarget };
}

export function hardlink(path: string, linkTarget: string): Entry {
  return { path, kind: "hardlink", size: 0, mode: 0o644, mtimeMs, linkTarget };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
