// Takes one file out of an artifact, and counts what had to be read for it.
import { type CatalogueEntry, localDirectory, looseArtifact, openArtifact, type RangeReader } from "#artifact/node";

export interface Found {
  readonly entry: CatalogueEntry;
  /** Of all files of the artifact. */
  readonly bytesRead: number;
}

export interface Picked {
  readonly content: Buffer;
  readonly bytesRead: number;
}

/** Looks a name up, for which the catalogue is read from its beginning to its end. */
export async function countedFind(directory: string, identity: string, path: string): Promise<Found> {
  const { open, counter } = counted(directory);
  await using artifact = await openArtifact({ ...(await looseArtifact(open)), identities: [identity] });
  let found: CatalogueEntry | null = null;
  for await (const entry of artifact.find([path])) found = entry;
  if (found === null) throw new Error(`the artifact holds nothing at ${path}`);
  return { entry: found, bytesRead: counter.bytes };
}

/** Opens the artifact anew and takes out an entry that somebody chose from the catalogue. */
export async function countedPick(directory: string, identity: string, entry: CatalogueEntry): Promise<Picked> {
  const { open, counter } = counted(directory);
  await using artifact = await openArtifact({ ...(await looseArtifact(open)), identities: [identity] });
  const pieces: Uint8Array[] = [];
  for await (const piece of artifact.pick(entry)) pieces.push(piece);
  return { content: Buffer.concat(pieces), bytesRead: counter.bytes };
}

function counted(directory: string) {
  const storage = localDirectory(directory);
  const counter = { bytes: 0 };
  const open = async (name: string): Promise<RangeReader> => {
    const file = await storage.open("artifact", name);
    return {
      ...file,
      read(position, length, signal, into) {
        counter.bytes += length;
        return file.read(position, length, signal, into);
      },
    };
  };
  return { open, counter };
}
