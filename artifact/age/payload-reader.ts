// Reads a payload by Node's own engine: what the writer's spool needs of reading.
import { nativeEngine } from "../engine/native-engine.ts";
import type { RangeReader } from "../storage/storage.ts";
import { PayloadRanges } from "./payload-ranges.ts";

export type PayloadReader = PayloadRanges;

export const PayloadReader = {
  open: (file: RangeReader, headerBytes: number, fileKey: Uint8Array, signal?: AbortSignal): Promise<PayloadReader> =>
    PayloadRanges.open(nativeEngine, { file, headerBytes, fileKey, signal }),
};
