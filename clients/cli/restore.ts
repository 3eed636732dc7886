// `xvault restore`: has a snapshot prepared, watches that, and fetches it into a file.
import { access, constants, lstat } from "node:fs/promises";
import { dirname } from "node:path";
import { getRestore, startRestore } from "../api/restores.ts";
import { CommandError, exitCodes, reasonOf } from "./failure.ts";
import { bytesText } from "./figures.ts";
import { followJob } from "./follow-job.ts";
import { openProgressDisplay } from "./progress-display.ts";
import { saveDownload } from "./save-download.ts";
import { openSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";

export interface RestoreOptions {
  readonly out: string;
  /** By the name of the file where it is not given. */
  readonly form?: "zip" | "tar" | "sealed";
  /** Everything where none is named. */
  readonly paths: readonly string[];
}

const forms = { zip: "ZIP", tar: "TAR", sealed: "SEALED" } as const;

export async function restore(terminal: Terminal, snapshotId: string, options: RestoreOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const { out, paths } = options;
  const api = await openSession(terminal);
  await refuseUnwritable(out);
  const form = forms[options.form ?? (/\.zip$/i.test(out) ? "zip" : "tar")];
  const started = await api.mutate(startRestore, { snapshotId, form, selection: [...paths] }, { signal });
  const { id: restoreId, job } = started.restore;
  await followJob(api, { ...terminal, jobId: job.id, title: `Restore of ${snapshotId}`, output: stderr });

  const prepared = (await api.query(getRestore, { restoreId }, { signal })).restore;
  if (prepared?.sizeBytes == null)
    throw new CommandError("The download is not there any more: restore the snapshot again.");
  const expectedBytes = Number(prepared.sizeBytes);
  {
    using display = openProgressDisplay(stderr, { ...terminal, title: `Download of ${out}` });
    await saveDownload({ link: started.downloadUrl, path: out, expectedBytes, display, signal });
  }
  stdout.write(`${out}  ${bytesText(expectedBytes)}\n`);
}

/** Before anything is prepared for it: a link works once, and would be spent for nothing. */
async function refuseUnwritable(out: string): Promise<void> {
  if (await lstat(out).catch(() => null))
    throw new CommandError(`${out} is there already; name another file.`, { exitCode: exitCodes.usage });
  try {
    await access(dirname(out), constants.W_OK);
  } catch (cause) {
    throw new CommandError(`${out} cannot be written: ${reasonOf(cause)}.`, { cause });
  }
}
