// There and back: a backup, a restore through the expiring link, and the comparison with what was there before.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { getJob, startBackup } from "../api/jobs.ts";
import { getRestore, startRestore } from "../api/restores.ts";
import { getSnapshot } from "../api/snapshots.ts";
import { CommandError } from "../cli/failure.ts";
import { bytesText, durationText, plural, printable } from "../cli/figures.ts";
import { followJob } from "../cli/follow-job.ts";
import { openProgressDisplay } from "../cli/progress-display.ts";
import { saveDownload } from "../cli/save-download.ts";
import { type Comparison, compareTrees } from "./compare-trees.ts";
import type { Customer } from "./set-up.ts";
import { type Stage, tick } from "./stage.ts";
import { unpack } from "./unpack.ts";

export interface Snapshot {
  readonly id: string;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly fileCount: number;
  readonly durationMs: number;
  /** Below the storage's base. */
  readonly localPath: string;
  readonly warnings: readonly { readonly path: string; readonly message: string }[];
}

const warningsShown = 5;

export async function backUp(stage: Stage, { api, sourceId }: Customer): Promise<Snapshot> {
  const { signal } = stage;
  const { job } = await api.mutate(startBackup, { sourceId }, { signal });
  await followJob(api, { ...stage, jobId: job.id, title: "Backup of sample" });
  const made = (await api.query(getJob, { jobId: job.id }, { signal })).job?.snapshot;
  const { snapshot } = await api.query(getSnapshot, { snapshotId: made?.id ?? "" }, { signal });
  if (!snapshot?.localPath) throw new CommandError("The backup is completed, and there is no snapshot of it.");
  const { id, fileCount, durationMs, localPath, warnings } = snapshot;
  const [plainBytes, storedBytes] = [Number(snapshot.plainBytes), Number(snapshot.storedBytes)];
  const sizes = `${bytesText(plainBytes)} → ${bytesText(storedBytes)} compressed and encrypted`;
  tick(stage, `backed up as ${id}: ${plural(fileCount, "file")}, ${sizes}, ${durationText(durationMs)}`);
  for (const { path, message } of warnings.slice(0, warningsShown))
    stage.output.write(`    ! ${printable(path)}: ${printable(message)}\n`);
  if (warnings.length > warningsShown)
    stage.output.write(`    ! and ${plural(warnings.length - warningsShown, "more warning")}\n`);
  return { id, plainBytes, storedBytes, fileCount, durationMs, localPath, warnings };
}

/** Resolves with the path of the downloaded tar file, in `directory`. */
export async function bringBack(
  stage: Stage,
  { api }: Customer,
  { snapshotId, directory }: { snapshotId: string; directory: string },
): Promise<string> {
  const { signal } = stage;
  const begunMs = performance.now();
  const { restore, downloadUrl } = await api.mutate(startRestore, { snapshotId, form: "TAR" }, { signal });
  await followJob(api, { ...stage, jobId: restore.job.id, title: "Restore of sample" });
  const prepared = (await api.query(getRestore, { restoreId: restore.id }, { signal })).restore;
  if (prepared?.sizeBytes == null)
    throw new CommandError("The restore is completed, and there is nothing to download.");
  const expectedBytes = Number(prepared.sizeBytes);
  tick(stage, `restore prepared in ${durationText(performance.now() - begunMs)}, behind a link that works once`);

  const fetchedMs = performance.now();
  const path = join(directory, "restored.tar");
  {
    using display = openProgressDisplay(stage.output, { ...stage, title: "Download of sample" });
    await saveDownload({ link: downloadUrl, path, expectedBytes, display, signal });
  }
  tick(stage, `${bytesText(expectedBytes)} downloaded in ${durationText(performance.now() - fetchedMs)}`);
  return path;
}

/** Throws `CommandError` at the first sign of a difference. */
export async function compareWithOriginal(
  stage: Stage,
  { original, tarFile, directory }: { original: string; tarFile: string; directory: string },
): Promise<Comparison> {
  const restored = join(directory, "tree");
  await mkdir(restored, { mode: 0o700 });
  await unpack(tarFile, restored, stage.signal);
  const comparison = await compareTrees(original, restored, stage.signal);
  const { files, directories, links, bytes, leftOut, differences } = comparison;
  if (differences.length > 0) throw new CommandError(differenceText(differences));
  const all = [plural(files, "file"), plural(directories, "directory", "directories"), plural(links, "link")].join(
    ", ",
  );
  tick(stage, `${all}: ${bytesText(bytes)} compared byte for byte, no difference`);
  if (leftOut > 0)
    stage.output.write(`    (${plural(leftOut, "entry", "entries")} left out: no file, or a name that is not UTF-8)\n`);
  return comparison;
}

function differenceText([first = "", ...others]: readonly string[]): string {
  const more = others.length > 0 ? `, and ${others.length} others differ too` : "";
  return `What came back is not what was there: ${first}${more}.`;
}
