// Tells a wrong key, a damaged artifact and everything else apart, for people by a sentence and for scripts by the exit code.
import { ArtifactError, ExportError, NotEmptyError, StorageError } from "#artifact/node";
import { CommandError, exitCodes, reasonOf } from "../failure.ts";

const codes = {
  ARTIFACT_CORRUPT: exitCodes.damaged,
  ENTRY_REFUSED: exitCodes.damaged,
  LIMIT_EXCEEDED: exitCodes.damaged,
  KEY_UNAVAILABLE: exitCodes.noKey,
  UNSUPPORTED_VERSION: exitCodes.failed,
} as const satisfies Record<ArtifactError["code"], number>;

/** Runs what is done with an artifact; its errors leave as `CommandError`, others as they are. */
export async function explained<T>(directory: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ArtifactError) throw refusal(`${error.message}${factsOf(error)}`, codes[error.code], error);
    if (error instanceof ExportError) throw refusal(error.message, exitCodes.failed, error);
    if (error instanceof StorageError && error.code === "NOT_STORED")
      throw refusal(`There is no artifact in ${directory}.`, exitCodes.failed, error);
    if (error instanceof NotEmptyError)
      throw refusal(`${error.message} Name an empty or new directory with --out.`, exitCodes.usage, error);
    if (error instanceof StorageError) throw refusal(error.message, exitCodes.failed, error);
    if (error instanceof Error && "syscall" in error && "path" in error)
      throw refusal(`${error.path}: ${reasonOf(error)}.`, exitCodes.failed, error);
    throw error;
  }
}

/** Where it is, as far as that is known and the message does not say it. */
function factsOf({ facts, message }: ArtifactError): string {
  const told = Object.entries(facts).filter(([, value]) => !message.includes(String(value)));
  return told.length === 0 ? "" : ` (${told.map(([name, value]) => `${name} ${value}`).join(", ")})`;
}

function refusal(message: string, exitCode: number, cause: unknown): CommandError {
  return new CommandError(message, { cause, exitCode });
}
