// Refuses entries that an extractor would write outside its directory: bad names, and names that lead through a link.
import type { Entry } from "./entry.ts";
import { isRoot, nameKey, nameRefusal, targetRefusal } from "./entry-path.ts";
import { ArtifactError } from "./errors.ts";

/** Links that one artifact may hold: every one of them has to be remembered. */
const maxLinks = 1_048_576;

export interface NamedEntry {
  readonly kind: Entry["kind"];
  readonly name: Uint8Array;
  readonly linkName: Uint8Array | null;
}

/** Follows the entries of one artifact in their order; the writer and the reader decide by the same rule. */
export class LinkGuard {
  readonly #links = new Set<string>();

  /** Null where the entry may stand; otherwise why not, as the end of a sentence that starts with its name. */
  admit(entry: NamedEntry): string | null {
    if (entry.kind === "directory" && isRoot(entry.name)) return null;
    const reason = nameRefusal(entry.name) ?? this.#throughLink(entry.name);
    if (reason !== null) return reason;
    switch (entry.kind) {
      case "file":
      case "directory":
        return null;
      case "symlink":
        return targetRefusal(entry.linkName ?? new Uint8Array()) ?? this.#remember(entry.name);
      case "hardlink":
        return this.#hardlinkRefusal(entry.name, entry.linkName ?? new Uint8Array());
    }
  }

  #hardlinkRefusal(name: Uint8Array, target: Uint8Array): string | null {
    if (nameRefusal(target) !== null) return "is a hard link to a name outside the artifact";
    // A hard link to a symbolic link is one more name of that link.
    if (this.#links.has(nameKey(target))) return this.#remember(name);
    return this.#throughLink(target) === null ? null : "is a hard link through a symbolic link";
  }

  #throughLink(name: Uint8Array): string | null {
    if (this.#links.size === 0) return null;
    const key = nameKey(name);
    for (let end = key.indexOf("/"); end !== -1; end = key.indexOf("/", end + 1))
      if (this.#links.has(key.slice(0, end))) return "leads through a symbolic link";
    return this.#links.has(key) ? "is the name of an earlier symbolic link" : null;
  }

  #remember(name: Uint8Array): null {
    if (this.#links.size === maxLinks)
      throw new ArtifactError("LIMIT_EXCEEDED", `An artifact holds at most ${maxLinks} symbolic links.`, { maxLinks });
    this.#links.add(nameKey(name));
    return null;
  }
}
