// `xvault artifact verify`: proves an artifact whole.
import { verify as verifyArtifact } from "#artifact/node";
import { bytesText, plural } from "../figures.ts";
import { openProgressDisplay } from "../progress-display.ts";
import type { Terminal } from "../terminal.ts";
import { workTeller } from "../work-step.ts";
import { explained } from "./failure.ts";
import { readKeys } from "./keys.ts";
import { placeOf } from "./place.ts";

export interface VerifyOptions {
  readonly key?: string;
  readonly json?: boolean;
}

export async function verify(terminal: Terminal, directory: string, { key, json }: VerifyOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const identities = key === undefined ? undefined : await readKeys(key);
  const { manifest, manifestSha256, depth } = await explained(directory, async () => {
    const place = await placeOf(directory);
    using display = openProgressDisplay(stderr, { ...terminal, title: `Verification of ${directory}` });
    const tell = workTeller(display);
    return await verifyArtifact({
      ...place,
      ...(identities && { identities }),
      signal,
      onProgress: (bytesDone, bytesTotal) => tell({ phase: "VERIFYING", bytesDone, bytesTotal }),
    });
  });
  const storedBytes = manifest.artifact.storedBytes + manifest.catalogue.storedBytes;
  if (json) stdout.write(`${JSON.stringify({ directory, depth, manifestSha256, storedBytes })}\n`);
  else if (depth === "BYTES")
    stdout.write(`${directory} is whole: ${bytesText(storedBytes)} are as they were sealed.\n`);
  else {
    const { files } = manifest.counts;
    stdout.write(
      `${directory} is whole: ${plural(files, "file")}, ${bytesText(manifest.plainBytes)}, open and are right.\n`,
    );
  }
}
