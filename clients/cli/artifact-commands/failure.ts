// Tells a wrong key, a damaged artifact and everything else apart, for people by a sentence and for scripts by the exit code.
import { ArtifactError, ExportError, NotEmptyError, StorageError } from "#artifact/node";
import { CommandError, exitCodes, reasonOf } from "../failure.ts";
import { bytesText, countText } from "../figures.ts";

const codes = {
  ARTIFACT_CORRUPT: exitCodes.damaged,
  ENTRY_REFUSED: exitCodes.damaged,
  LIMIT_EXCEEDED: exitCodes.damaged,
  KEY_UNAVAILABLE: exitCodes.noKey,
  UNSUPPORTED_VERSION: exitCodes.failed,
} as const satisfies Record<ArtifactError["code"], number>;

const sealedChunkBytes = 65_552;

/** Runs what is done with an artifact; its errors leave as `CommandError`, others as they are. */
export async function explained<T>(directory: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ArtifactError) throw refusal(sentenceOf(error), codes[error.code], error);
    if (error instanceof ExportError) throw refusal(error.message, exitCodes.failed, error);
    if (error instanceof StorageError && error.code === "NOT_STORED")
      throw refusal(`There is no artifact in ${directory}.`, exitCodes.failed, error);
    if (error instanceof NotEmptyError)
      throw refusal(
        error.message.replace(/\.$/, ": name an empty or new directory with --out."),
        exitCodes.usage,
        error,
      );
    if (error instanceof StorageError) throw refusal(error.message, exitCodes.failed, error);
    if (error instanceof Error && "syscall" in error && "path" in error)
      throw refusal(`${error.path}: ${reasonOf(error)}.`, exitCodes.failed, error);
    throw error;
  }
}

/** What the error says, and where it is as far as that is known. */
function sentenceOf({ message, facts }: ArtifactError): string {
  const place = placeIn(facts);
  return place === null ? message : message.replace(/\.?$/, ` (${place}).`);
}

/** A chunk is what is sealed at a time, of which not the number but the place in the file is of use to somebody. */
function placeIn({ path, position, length, chunk, offset }: ArtifactError["facts"]): string | null {
  if (path !== undefined) return String(path);
  if (position !== undefined && length !== undefined)
    return `in the ${bytesText(Number(length))} from byte ${countText(Number(position))} on`;
  if (chunk !== undefined) return `near byte ${countText(Number(chunk) * sealedChunkBytes)} of the file`;
  return offset === undefined ? null : `at byte ${countText(Number(offset))} of the archive`;
}

function refusal(message: string, exitCode: number, cause: unknown): CommandError {
  return new CommandError(message, { cause, exitCode });
}
