// `xvault artifact rekey`: lets further keys open an artifact, or other keys instead.
import { randomUUID } from "node:crypto";
import { localDirectory, rekey as rekeyArtifact } from "#artifact/node";
import { CommandError, exitCodes } from "../failure.ts";
import { plural } from "../figures.ts";
import { openProgressDisplay } from "../progress-display.ts";
import type { Terminal } from "../terminal.ts";
import { workTeller } from "../work-step.ts";
import { explained } from "./failure.ts";
import { placeOf, readKeys } from "./place.ts";

export interface RekeyOptions {
  readonly key: string;
  readonly recipient: readonly string[];
  readonly replace?: boolean;
  readonly json?: boolean;
}

export async function rekey(terminal: Terminal, directory: string, options: RekeyOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const { recipient, replace = false, json } = options;
  if (recipient.length === 0) throw new CommandError("Name at least one --recipient.", { exitCode: exitCodes.usage });
  const identities = await readKeys(options.key);
  const { manifest, manifestSha256 } = await explained(directory, async () => {
    using display = openProgressDisplay(stderr, { ...terminal, title: `New keys for ${directory}` });
    const tell = workTeller(display);
    return rekeyArtifact({
      directory: (await placeOf(directory)).directory,
      storage: localDirectory(directory),
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
