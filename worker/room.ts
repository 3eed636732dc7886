// How much room there is in a directory's file system.
import { statfs } from "node:fs/promises";

export interface Room {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** A snapshot takes four files and a directory, and the directories above it. */
const fewestFiles = 16;

/** A file system that can hold no more files has no room, however many bytes are free. Throws as `statfs` does. */
export async function roomOf(directory: string): Promise<Room> {
  const { bavail, blocks, bsize, files, ffree } = await statfs(directory);
  // Some file systems count no files at all.
  const isOutOfFiles = files > 0 && ffree < fewestFiles;
  return { freeBytes: isOutOfFiles ? 0 : bavail * bsize, totalBytes: blocks * bsize };
}
