// Finds an artifact in a directory, and the keys to open it with in a file.
import { readFile } from "node:fs/promises";
import { type ArtifactPlace, localDirectory, looseArtifact } from "#artifact/node";
import { CommandError, exitCodes, reasonOf } from "../failure.ts";

/** A key file is small; anything else was not meant. */
const longestKeyFile = 65_536;

/** Throws `StorageError` `NOT_STORED` where there is no artifact. */
export function placeOf(directory: string): Promise<ArtifactPlace> {
  const storage = localDirectory(directory);
  return looseArtifact((name) => storage.open("artifact", name));
}

/** The identities of a file such as age-keygen writes: one a line, comments behind `#`. */
export async function readKeys(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new CommandError(`The key file ${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
  const lines = text.slice(0, longestKeyFile).split("\n");
  const keys = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  if (keys.length === 0 || !keys.every((key) => /^AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]+$/.test(key)))
    throw new CommandError(`${path} is not a key file: each line holds one AGE-SECRET-KEY-….`, {
      exitCode: exitCodes.usage,
    });
  return keys;
}
