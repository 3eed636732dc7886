// `xvault artifact rekey`: lets further keys open an artifact, or other keys instead.
import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { fileNames, localDirectory, rekey as rekeyArtifact } from "#artifact/node";
import { CommandError } from "../failure.ts";
import { plural } from "../figures.ts";
import { openProgressDisplay } from "../progress-display.ts";
import type { Terminal } from "../terminal.ts";
import { workTeller } from "../work-step.ts";
import { explained } from "./failure.ts";
import { checkRecipients, readKeys } from "./keys.ts";
import { placeOf } from "./place.ts";

export interface RekeyOptions {
  readonly key: string;
  readonly recipient: readonly string[];
  readonly replace?: boolean;
  readonly json?: boolean;
}

export async function rekey(terminal: Terminal, directory: string, options: RekeyOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const { recipient, replace = false, json } = options;
  checkRecipients(recipient);
  const identities = await readKeys(options.key);
  const storage = localDirectory(directory);
  const { manifest, manifestSha256 } = await explained(directory, async () => {
    await storage.sweep();
    const place = await placeOf(directory);
    await refuseStrangers(directory);
    using display = openProgressDisplay(stderr, { ...terminal, title: `New keys for ${directory}` });
    const tell = workTeller(display);
    return await rekeyArtifact({
      directory: place.directory,
      storage,
      identities,
      recipients: recipient,
      keep: !replace,
      attempt: randomUUID(),
      signal,
      onProgress: (bytesDone, bytesTotal) => tell({ phase: "REKEYING", bytesDone, bytesTotal }),
    });
  });
  const { recipients } = manifest;
  if (json) stdout.write(`${JSON.stringify({ directory, manifestSha256, recipients })}\n`);
  else stdout.write(`${directory} opens for ${plural(recipients.length, "key")} now.\n`);
}

/** The directory is replaced as a whole: what else lies in it, a key file say, would be gone. */
async function refuseStrangers(directory: string): Promise<void> {
  const own = new Set<string>(Object.values(fileNames));
  const stranger = (await readdir(directory)).find((name) => !own.has(name));
  if (stranger !== undefined)
    throw new CommandError(`${directory} holds more than the artifact (${stranger}): move that elsewhere first.`);
}
