// What travels between a thread that reads a tree and whoever asked for it: many small files in one buffer, a large one in many.
import type { Entry, EntryPath, Warning } from "../entry.ts";

/** Bytes of content in one batch. */
export const batchBytes = 1_048_576;

/** Batches under way at once: what a reading costs in memory. */
export const batchesAhead = 4;

/** What the thread is started with. */
export interface TreeThreadData {
  /** Where the tree is, behind all links. */
  readonly root: string;
  /** A single file, which is called `name`. */
  readonly isFile: boolean;
  readonly name: string;
}

export interface FoundEntry extends Omit<Entry, "content" | "size" | "path"> {
  readonly path: EntryPath;
  readonly size: number;
}

/** `at` and `length` say where in the batch's bytes it lies. */
export interface Piece {
  readonly at: number;
  readonly length: number;
  /** Nothing more of this entry follows. */
  readonly last: boolean;
  /** The rest of the file could not be read. */
  readonly interrupted?: true;
}

export type Item =
  | { readonly kind: "entry"; readonly entry: FoundEntry; readonly piece: Piece }
  | { readonly kind: "more"; readonly piece: Piece }
  | { readonly kind: "warning"; readonly warning: Warning };

export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly items: readonly Item[];
  /** The tree has been read. */
  readonly last: boolean;
}
