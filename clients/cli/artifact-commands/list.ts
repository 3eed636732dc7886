// `xvault artifact list`: the entries of an artifact, from its catalogue.
import { type CatalogueEntry, openArtifact, printablePath } from "#artifact/node";
import { bytesText, momentText } from "../figures.ts";
import { printJson, printTable } from "../listing.ts";
import type { Terminal } from "../terminal.ts";
import { explained } from "./failure.ts";
import { readKeys } from "./keys.ts";
import { placeOf } from "./place.ts";

export interface ListOptions {
  readonly key: string;
  readonly json?: boolean;
}

export async function list({ stdout, signal }: Terminal, directory: string, { key, json }: ListOptions): Promise<void> {
  const identities = await readKeys(key);
  await explained(directory, async () => {
    await using artifact = await openArtifact({ ...(await placeOf(directory)), identities, signal });
    if (json) return printJson(stdout, facts(artifact.catalogue()));
    await printTable(stdout, {
      columns: ["MODE", "SIZE", "CHANGED", "PATH"],
      rows: rowsOf(artifact.catalogue()),
      empty: "The artifact is empty.",
    });
  });
}

async function* facts(entries: AsyncIterable<CatalogueEntry>) {
  for await (const { offset: _, contentOffset: __, path, linkTarget, ...rest } of entries)
    yield {
      path: printablePath(path),
      ...rest,
      ...(linkTarget !== undefined && { linkTarget: printablePath(linkTarget) }),
    };
}

async function* rowsOf(entries: AsyncIterable<CatalogueEntry>) {
  for await (const { path, kind, mode, mtimeMs, size, linkTarget } of entries) {
    const link = linkTarget === undefined ? "" : `${kind === "symlink" ? " -> " : " = "}${printablePath(linkTarget)}`;
    const name = `${printablePath(path)}${kind === "directory" ? "/" : ""}${link}`;
    yield [mode.toString(8).padStart(4, "0"), bytesText(size), momentOf(mtimeMs), name];
  }
}

/** Of the years that have four digits; times of files can be anything. */
function momentOf(mtimeMs: number): string {
  const ms = Math.min(Math.max(mtimeMs, Date.parse("0000-01-01")), Date.parse("9999-12-31T23:59Z"));
  return momentText(new Date(ms).toISOString());
}
