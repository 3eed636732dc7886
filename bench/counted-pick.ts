// Takes one file out of an artifact, and counts what had to be read for it.
import { localDirectory, looseArtifact, openArtifact, type RangeReader } from "#artifact/node";

export interface Picked {
  readonly content: Buffer;
  /** Of all files of the artifact. */
  readonly bytesRead: number;
}

export async function countedPick(directory: string, identity: string, path: string): Promise<Picked> {
  const storage = localDirectory(directory);
  let bytesRead = 0;
  const counted = (file: RangeReader): RangeReader => ({
    ...file,
    read(position, length, signal) {
      bytesRead += length;
      return file.read(position, length, signal);
    },
  });
  const place = await looseArtifact(async (name) => counted(await storage.open("artifact", name)));
  await using artifact = await openArtifact({ ...place, identities: [identity] });
  const pieces: Uint8Array[] = [];
  for await (const entry of artifact.find([path])) for await (const piece of artifact.pick(entry)) pieces.push(piece);
  return { content: Buffer.concat(pieces), bytesRead };
}
