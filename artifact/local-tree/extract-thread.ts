// The thread behind extract-tree.ts: takes the tar piece by piece, and unpacks it.
import { parentPort, workerData } from "node:worker_threads";
import { entriesOf } from "../opened-entries.ts";
import type { Piece } from "../tar/byte-queue.ts";
import {
  type ExtractionData,
  type ExtractionProgress,
  type ExtractionReport,
  failureOf,
  type TarPiece,
} from "./extraction.ts";
import { writeTree } from "./write-tree.ts";

const { directory, totals } = workerData as ExtractionData;
const arrived: TarPiece[] = [];
let wake = () => {};
let progress: ExtractionProgress = { files: 0, bytes: 0 };

parentPort?.on("message", (piece: TarPiece) => {
  arrived.push(piece);
  wake();
});

function report(message: ExtractionReport): void {
  parentPort?.postMessage(message);
}

async function* pieces(): AsyncGenerator<Piece> {
  for (let start = 0; ; ) {
    while (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    const bytes = arrived.shift();
    if (!bytes) return;
    // It is given back once it is written, and has no length any more then.
    const { length } = bytes;
    yield { start, bytes };
    start += length;
    report({ kind: "more", progress });
  }
}

try {
  const signal = new AbortController().signal;
  await writeTree(entriesOf(pieces(), totals, { transient: true }), directory, {
    signal,
    onProgress: (advanced) => {
      progress = advanced;
    },
  });
  report({ kind: "done" });
} catch (error) {
  report({ kind: "failed", failure: failureOf(error) });
}
parentPort?.close();
