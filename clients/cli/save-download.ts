// Writes a download to a file, and shows how far it is.
import { readDownload } from "../api/download.ts";
import { CommandError } from "./failure.ts";
import type { ProgressDisplay } from "./progress-display.ts";
import { saveFile } from "./save-file.ts";
import { workTeller } from "./work-step.ts";

export interface SaveOptions {
  readonly link: string;
  readonly path: string;
  /** How long the file has to be. */
  readonly expectedBytes: number;
  readonly display: ProgressDisplay;
  readonly signal: AbortSignal;
}

/** Throws `CommandError` or `DownloadError`, and leaves nothing behind then. */
export async function saveDownload({ link, path, expectedBytes, display, signal }: SaveOptions): Promise<void> {
  const tell = workTeller(display);
  async function* counted() {
    let bytes = 0;
    for await (const chunk of readDownload(link, { signal })) {
      bytes += chunk.length;
      yield chunk;
      tell({ phase: "DOWNLOADING", bytesDone: bytes, bytesTotal: expectedBytes });
    }
    if (bytes !== expectedBytes)
      throw new CommandError(`The download has ${bytes} bytes instead of ${expectedBytes}: restore it again.`);
  }
  await saveFile(path, counted(), signal);
}
