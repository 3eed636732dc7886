// Takes some paths out of an artifact, each with everything below it, and whatever their hard links are further names of.
import { CatalogueSelection } from "../catalogue-selection.ts";
import type { EntryPath } from "../entry.ts";
import { nameKey, pathBytes } from "../entry-path.ts";
import type { OpenedArtifact } from "../open.ts";
import type { OpenedEntry } from "../opened-entry.ts";
import { ExportError } from "./export-error.ts";

/** A link to a link to a link: every step costs one reading of the catalogue. */
const mostReadings = 16;

export interface Selected {
  readonly files: number;
  /** Of all contents. */
  readonly bytes: number;
  entries(): AsyncIterable<OpenedEntry>;
}

/**
 * `paths` are relative to the tree's root; a leading `/` or `./` and a trailing `/` say nothing. No more than the catalogue and the
 * frames that hold the selection are read. Throws `ExportError`: `NOT_FOUND` for a path that stands for nothing, `TOO_MUCH` where
 * hard links lead on and on; else as the artifact does.
 */
export async function selectEntries(artifact: OpenedArtifact, paths: Iterable<string>): Promise<Selected> {
  const asked = [...new Set(paths)];
  const wanted = new Map<string, EntryPath>();
  for (const path of asked) want(wanted, plain(path));
  for (let readings = 1; ; readings++) {
    const found = await look(artifact, [...wanted.values()]);
    const missing = asked.find((path) => !found.names.has(keyOf(plain(path))));
    if (missing !== undefined) throw new ExportError("NOT_FOUND", `The snapshot holds nothing at "${missing}".`);
    if (found.along.length === 0)
      return { ...found, entries: () => artifact.pickAll(artifact.find([...wanted.values()])) };
    if (readings === mostReadings)
      throw new ExportError("TOO_MUCH", "The hard links selected here lead too far: restore everything instead.");
    for (const path of found.along) want(wanted, path);
  }
}

/** Whether these paths stand for the whole tree, which is read in another way. */
export function isEverything(paths: readonly string[]): boolean {
  return paths.length === 0 || paths.some((path) => plain(path) === ".");
}

async function look(artifact: OpenedArtifact, paths: EntryPath[]) {
  const selection = new CatalogueSelection(paths);
  const asked = new Set(paths.map(keyOf));
  // The root is there, whether it has an entry or not.
  const names = new Set(["."]);
  const along = new Map<string, EntryPath>();
  let files = 0;
  let bytes = 0;
  for await (const { path, kind, size, linkTarget } of artifact.find(paths)) {
    for (const name of namesAbove(keyOf(path))) if (asked.has(name)) names.add(name);
    if (kind === "file") files += 1;
    bytes += size;
    // Without the file that it is a name of, the link would lead nowhere.
    if (kind === "hardlink" && linkTarget !== undefined && !selection.has(linkTarget)) want(along, linkTarget);
  }
  return { files, bytes, names, along: [...along.values()] };
}

function want(paths: Map<string, EntryPath>, path: EntryPath): void {
  paths.set(keyOf(path), path);
}

/** The name itself, and those of the directories around it. */
function* namesAbove(name: string): Generator<string> {
  for (let end = name.indexOf("/"); end !== -1; end = name.indexOf("/", end + 1)) yield name.slice(0, end);
  yield name;
}

function keyOf(path: EntryPath): string {
  return nameKey(pathBytes(path));
}

function plain(path: string): string {
  return path.replace(/^(?:\.?\/+)+|\/+$/g, "") || ".";
}
