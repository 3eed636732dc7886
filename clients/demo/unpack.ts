// Unpacks a tar file with the system's own tar: what comes out is what any customer would get.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { CommandError } from "../cli/failure.ts";

/** `directory` has to exist, and be empty. Throws `CommandError`. */
export async function unpack(tarFile: string, directory: string, signal: AbortSignal): Promise<void> {
  // Modes as they are in the file, and everything ours: who owned it there is of no use here.
  const args = ["-x", "-p", "--no-same-owner", "-f", tarFile, "-C", directory];
  const tar = spawn("tar", args, { stdio: ["ignore", "ignore", "pipe"], signal });
  try {
    const [[exitCode], complaint] = await Promise.all([once(tar, "close"), text(tar.stderr)]);
    if (exitCode !== 0)
      throw new CommandError(
        `tar could not unpack the download: ${complaint.trim().split("\n")[0] || `exit code ${exitCode}`}`,
      );
  } catch (error) {
    signal.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new CommandError("The download is here, but this machine has no tar to unpack it with.", { cause: error });
  }
}
