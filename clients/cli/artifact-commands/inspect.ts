// `xvault artifact inspect`: what anybody may know of an artifact, without a key.
import { type Manifest, readManifest } from "#artifact/node";
import { bytesText, durationText, momentText, plural, printable } from "../figures.ts";
import type { Terminal } from "../terminal.ts";
import { explained } from "./failure.ts";
import { placeOf } from "./place.ts";

export async function inspect({ stdout }: Terminal, directory: string, { json }: { json?: boolean }): Promise<void> {
  const { manifest, manifestSha256 } = await explained(directory, async () => readManifest(await placeOf(directory)));
  if (json) stdout.write(`${JSON.stringify(manifest, null, 2)}\n`);
  else
    for (const [name, value] of linesOf(manifest, manifestSha256))
      stdout.write(`${name.padEnd(12)}${printable(value)}\n`);
}

function* linesOf(manifest: Manifest, manifestSha256: string): Generator<readonly [string, string]> {
  const { ids, counts, artifact, catalogue, algorithm, warnings } = manifest;
  yield ["snapshot", `${ids.snapshotId} of source ${ids.sourceId}, tenant ${ids.tenantId}`];
  yield ["made", `${momentText(manifest.createdAt)}, in ${durationText(manifest.durationMs)}`];
  const { files, directories, symlinks, hardlinks } = counts;
  const others = [plural(directories, "directory", "directories"), plural(symlinks + hardlinks, "link")];
  yield ["holds", `${plural(files, "file")}, ${others.join(", ")}, ${bytesText(manifest.plainBytes)}`];
  yield ["stored", bytesText(artifact.storedBytes + catalogue.storedBytes)];
  yield ["format", `${manifest.format} ${manifest.version}: ${Object.values(algorithm).join(", ")}`];
  for (const { algorithm: kind, fingerprint } of manifest.recipients) yield ["opens for", `${kind} ${fingerprint}`];
  for (const [code, count] of Object.entries(warnings)) yield ["warnings", `${count} × ${code}`];
  yield ["complete", manifest.partial ? "no: the warnings in its catalogue say what is missing" : "yes"];
  yield ["manifest", `sha256:${manifestSha256}`];
}
