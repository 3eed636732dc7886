// Unpacks a whole artifact into a directory of this machine: what comes out of the frames is written by a thread of its own.
import { on } from "node:events";
import { Worker } from "node:worker_threads";
import type { OpenedArtifact } from "../open.ts";
import { type ExtractionData, type ExtractionReport, errorOf, type TarPiece } from "./extraction.ts";
import { smallThread } from "./small-thread.ts";
import { refuseFilled, type WriteTreeOptions } from "./write-tree.ts";

/** Pieces under way: one is being unpacked while the next is there. */
const piecesAhead = 2;

/** As `writeTree` does with the artifact's entries, and much faster. Throws as both. */
export async function extractTree(
  artifact: OpenedArtifact,
  directory: string,
  { signal, onProgress }: WriteTreeOptions,
): Promise<void> {
  await refuseFilled(directory);
  signal.throwIfAborted();
  const { counts, plainBytes } = artifact.manifest;
  const workerData: ExtractionData = { directory, totals: { counts, plainBytes } };
  const thread = new Worker(new URL("./extract-thread.ts", import.meta.url), { workerData, ...smallThread });
  const reports = on(thread, "message", { signal }) as AsyncIterableIterator<[ExtractionReport]>;
  let room = piecesAhead;
  /** False once the thread is done. */
  const heard = async (): Promise<boolean> => {
    const { done, value } = await reports.next();
    if (done) throw new TypeError("the thread ended without a word");
    const [report] = value;
    if (report.kind === "failed") throw errorOf(report.failure);
    if (report.kind === "done") return false;
    room += 1;
    onProgress?.(report.progress);
    return true;
  };
  try {
    for await (const piece of artifact.tar()) {
      while (room === 0) await heard();
      room -= 1;
      hand(thread, piece);
    }
    thread.postMessage(null satisfies TarPiece);
    while (await heard());
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await reports.return?.();
    await thread.terminate();
  }
}

function hand(thread: Worker, piece: Uint8Array): void {
  const { buffer } = piece;
  // A small piece may lie in a buffer that others have a part in.
  const own = buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize;
  thread.postMessage(piece satisfies TarPiece, own ? [buffer] : []);
}
