// The lines of a catalogue: a header, one line per entry in the tar's order, the warnings, and a closing line with the counts.
import * as z from "zod";
import type { Entry, EntryPath, Warning } from "./entry.ts";
import { pathFromBytes } from "./entry-path.ts";
import { ArtifactError } from "./errors.ts";
import { formatVersion } from "./manifest.ts";
import { type ArtifactIds, idPattern } from "./snapshot-directory.ts";

export interface CatalogueEntry {
  readonly path: EntryPath;
  readonly kind: Entry["kind"];
  readonly size: number;
  readonly mode: number;
  readonly mtimeMs: number;
  /** Of the content as it is stored; files only. */
  readonly sha256?: string;
  /** Where its header starts in the tar stream: the extended header where it has one. */
  readonly offset: number;
  /** Where its content starts in the tar stream, whatever its length. */
  readonly contentOffset: number;
  readonly linkTarget?: EntryPath;
}

/** Longest line that a reader takes, in characters. */
export const maxLineLength = 524_288;

const count = z.int().min(0);
const base64 = z.base64();
const id = z.string().regex(idPattern);

const headerLine = z.object({
  catalogue: z.literal(formatVersion),
  ids: z.object({ tenantId: id, sourceId: id, snapshotId: id, jobId: id, workerId: id }),
});
const entryLine = z.object({
  path: z.string().optional(),
  pathBase64: base64.optional(),
  kind: z.enum(["file", "directory", "symlink", "hardlink"]),
  size: count,
  mode: count.max(0o7777),
  mtimeMs: z.int(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  offset: count,
  contentOffset: count,
  linkTarget: z.string().optional(),
  linkTargetBase64: base64.optional(),
});
const warningLine = z.object({
  warning: z.enum([
    "VANISHED",
    "UNREADABLE",
    "CHANGED_WHILE_READ",
    "SPECIAL_SKIPPED",
    "NAME_NOT_UTF8",
    "NAME_REFUSED",
    "HOOK_FAILED",
    "TOOL_WARNING",
  ]),
  path: z.string(),
  message: z.string(),
});
const endLine = z.object({ end: z.object({ entries: count, warnings: count }) });

export type CatalogueLine =
  | { readonly kind: "header"; readonly ids: ArtifactIds }
  | { readonly kind: "entry"; readonly entry: CatalogueEntry }
  | { readonly kind: "warning"; readonly warning: Warning }
  | { readonly kind: "end"; readonly entries: number; readonly warnings: number };

/** The same line for the same facts, whatever the order of their keys. */
export function formatCatalogueLine(line: CatalogueLine): string {
  return `${JSON.stringify(lineValue(line))}\n`;
}

function lineValue(line: CatalogueLine): object {
  switch (line.kind) {
    case "header":
      return { catalogue: formatVersion, ids: line.ids };
    case "entry": {
      const { path, kind, size, mode, mtimeMs, sha256, offset, contentOffset, linkTarget } = line.entry;
      const target = linkTarget === undefined ? {} : named("linkTarget", linkTarget);
      return { ...named("path", path), kind, size, mode, mtimeMs, sha256, offset, contentOffset, ...target };
    }
    case "warning": {
      const { code, path, message } = line.warning;
      return { warning: code, path, message };
    }
    case "end":
      return { end: { entries: line.entries, warnings: line.warnings } };
  }
}

/** Throws `ArtifactError` `ARTIFACT_CORRUPT` for anything that is no line of a catalogue. */
export function parseCatalogueLine(text: string): CatalogueLine {
  try {
    const parsed = JSON.parse(text);
    const entry = parsed === null ? null : glanceAtEntry(parsed);
    if (entry) return { kind: "entry", entry };
    const value = z.record(z.string(), z.unknown()).parse(parsed);
    if ("catalogue" in value) return { kind: "header", ids: headerLine.parse(value).ids };
    if ("end" in value) return { kind: "end", ...endLine.parse(value).end };
    if ("warning" in value) {
      const { warning: code, path, message } = warningLine.parse(value);
      return { kind: "warning", warning: { code, path, message } };
    }
    return { kind: "entry", entry: parseEntry(value) };
  } catch (cause) {
    throw new ArtifactError("ARTIFACT_CORRUPT", "The catalogue is damaged: a line cannot be read.", {}, { cause });
  }
}

/**
 * An entry whose names are text, as nearly all are, by the checks of `entryLine`, at a tenth of their cost: a catalogue has a line for
 * every file. Null for everything else.
 */
function glanceAtEntry(value: Readonly<Record<string, unknown>>): CatalogueEntry | null {
  const { path, kind, size, mode, mtimeMs, sha256, offset, contentOffset, linkTarget } = value;
  if (typeof path !== "string" || value.pathBase64 !== undefined || value.linkTargetBase64 !== undefined) return null;
  if (value.catalogue !== undefined || value.end !== undefined || value.warning !== undefined) return null;
  if (!isKind(kind) || !isCount(size) || !isCount(mode) || mode > 0o7777 || !isWhole(mtimeMs)) return null;
  if (!isCount(offset) || !isCount(contentOffset)) return null;
  const entry = { path, kind, size, mode, mtimeMs, offset, contentOffset };
  if (sha256 === undefined && linkTarget === undefined) return entry;
  if (linkTarget === undefined && isDigest(sha256))
    return { path, kind, size, mode, mtimeMs, sha256, offset, contentOffset };
  return sha256 === undefined && typeof linkTarget === "string" ? { ...entry, linkTarget } : null;
}

function isKind(value: unknown): value is CatalogueEntry["kind"] {
  return value === "file" || value === "directory" || value === "symlink" || value === "hardlink";
}

function isDigest(value: unknown): value is string {
  if (typeof value !== "string" || value.length !== 64) return false;
  // A regular expression takes as long as all the rest of reading a line.
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return false;
  }
  return true;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isCount(value: unknown): value is number {
  return isWhole(value) && value >= 0;
}

function parseEntry(value: unknown): CatalogueEntry {
  const { path, pathBase64, linkTarget, linkTargetBase64, sha256, ...facts } = entryLine.parse(value);
  const name = path ?? nameFromBase64(pathBase64);
  if (name === undefined) throw new TypeError("an entry without a path");
  const target = linkTarget ?? nameFromBase64(linkTargetBase64);
  return {
    path: name,
    ...facts,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(target === undefined ? {} : { linkTarget: target }),
  };
}

function named(key: "path" | "linkTarget", path: EntryPath): object {
  const value = typeof path === "string" ? path : pathFromBytes(path);
  return typeof value === "string" ? { [key]: value } : { [`${key}Base64`]: btoa(String.fromCharCode(...value)) };
}

function nameFromBase64(text: string | undefined): EntryPath | undefined {
  return text === undefined ? undefined : pathFromBytes(Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0)));
}
