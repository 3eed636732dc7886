// An entry as it comes out of an artifact: admitted by the rules for names, with its content behind it.
import { sameBytes } from "./bytes.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import type { Entry, EntryPath } from "./entry.ts";
import { pathBytes, pathFromBytes, printablePath } from "./entry-path.ts";
import { ArtifactError } from "./errors.ts";
import type { LinkGuard } from "./link-guard.ts";
import type { TarMember } from "./tar/reader.ts";

export interface OpenedEntry extends Entry {
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  /** Where its header starts in the tar stream. */
  readonly offset: number;
  /** Where its content starts in the tar stream. */
  readonly contentOffset: number;
  /** To be read before the next entry is asked for, which skips what is left of it. Empty for everything but files. */
  readonly content: AsyncIterable<Uint8Array>;
  /** What `content` would give, in one piece, where it is in memory already: to keep it keeps its neighbours as well. */
  readonly bytes?: Uint8Array;
}

/** Throws `ArtifactError` `ENTRY_REFUSED`. */
export function openedEntry(guard: LinkGuard, { name, linkName, ...member }: TarMember): OpenedEntry {
  const refusal = guard.admit({ kind: member.kind, name, linkName });
  const path = pathFromBytes(name);
  if (refusal === null) return { ...member, path, ...(linkName ? { linkTarget: pathFromBytes(linkName) } : {}) };
  throw new ArtifactError("ENTRY_REFUSED", `The backup holds an entry that is not restored: its name ${refusal}.`, {
    path: printablePath(path),
    offset: member.offset,
  });
}

/** All but the content, of which only a hash is described. */
export function isDescribedBy(entry: OpenedEntry, described: CatalogueEntry): boolean {
  return (
    entry.kind === described.kind &&
    entry.size === described.size &&
    entry.mode === described.mode &&
    entry.mtimeMs === described.mtimeMs &&
    entry.offset === described.offset &&
    entry.contentOffset === described.contentOffset &&
    (entry.kind === "file") === (described.sha256 !== undefined) &&
    isSameName(entry.path, described.path) &&
    isSameName(entry.linkTarget, described.linkTarget)
  );
}

function isSameName(one: EntryPath | undefined, other: EntryPath | undefined): boolean {
  if (one === other) return true;
  return one !== undefined && other !== undefined && sameBytes(pathBytes(one), pathBytes(other));
}
