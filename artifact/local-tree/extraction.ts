// What is said between extract-tree.ts and its thread.
import { ArtifactError } from "../errors.ts";
import type { Totals } from "../opened-entries.ts";

/** What the thread is started with. */
export interface ExtractionData {
  readonly directory: string;
  readonly totals: Totals;
}

/** The tar, piece by piece; null where it has ended. */
export type TarPiece = Uint8Array | null;

export interface ExtractionProgress {
  readonly files: number;
  /** Of contents. */
  readonly bytes: number;
}

export type ExtractionReport =
  /** Another piece may come. */
  | { readonly kind: "more"; readonly progress: ExtractionProgress }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly failure: Failure };

/** An error, in a form that keeps on its way between threads what it is told by. */
type Failure =
  | {
      readonly of: "artifact";
      readonly code: ArtifactError["code"];
      readonly message: string;
      readonly facts: ArtifactError["facts"];
    }
  | { readonly of: "other"; readonly message: string; readonly facts: Record<string, unknown> };

export function failureOf(error: unknown): Failure {
  if (error instanceof ArtifactError)
    return { of: "artifact", code: error.code, message: error.message, facts: error.facts };
  const { message, code, syscall, path } = error as NodeJS.ErrnoException;
  return { of: "other", message, facts: { code, syscall, path: path?.toString() } };
}

export function errorOf(failure: Failure): Error {
  if (failure.of === "artifact") return new ArtifactError(failure.code, failure.message, failure.facts);
  const { syscall } = failure.facts;
  return Object.assign(new Error(failure.message), syscall === undefined ? {} : failure.facts);
}
