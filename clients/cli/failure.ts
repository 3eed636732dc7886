// Says what went wrong in one sentence, and with which exit code the command ends: for every error, and never with a stack.
import { CommanderError } from "commander";
import { ApiError } from "../api/api-error.ts";
import { DownloadError } from "../api/download.ts";
import { PrivateFileError } from "../api/private-file.ts";
import { RefusedError } from "../api/refusal.ts";
import { printable } from "./figures.ts";

export const exitCodes = {
  fine: 0,
  failed: 1,
  usage: 2,
  notSignedIn: 3,
  noKey: 4,
  damaged: 5,
  interrupted: 130,
} as const;

export interface Failure {
  /** Empty where everything has been said. */
  readonly sentence: string;
  readonly exitCode: number;
}

/** A command that cannot do what it was asked to; the message is for the user. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(message: string, options: ErrorOptions & { readonly exitCode?: number } = {}) {
    super(message, options);
    this.exitCode = options.exitCode ?? exitCodes.failed;
  }
}

/** `signal` has been aborted where the user interrupted the command. */
export function failureOf(error: unknown, signal: AbortSignal): Failure {
  if (error instanceof CommanderError) return { sentence: "", exitCode: error.exitCode === 0 ? 0 : exitCodes.usage };
  if (error instanceof CommandError) return failure(error.message, error.exitCode);
  if (signal.aborted) return failure("Interrupted.", exitCodes.interrupted);
  if (error instanceof RefusedError || error instanceof DownloadError) return failure(error.message);
  if (error instanceof ApiError) return apiFailure(error);
  if (error instanceof PrivateFileError)
    return failure(`The sign-in cannot be kept in ${error.path}: ${reasonOf(error.cause)}.`);
  return failure(`xvault itself failed: ${error instanceof Error ? error.message : String(error)}`);
}

/** What the system says about a file, a program or a connection, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file or directory";
  if (code === "EACCES" || code === "EPERM") return "the system does not permit it";
  if (code === "ENOSPC") return "the disk is full";
  if (code === "EISDIR") return "it is a directory";
  return code ?? message;
}

function apiFailure({ code, message, reference }: ApiError): Failure {
  if (code === "UNAUTHENTICATED")
    return failure('You are not signed in any more: run "xvault sign-in" again.', exitCodes.notSignedIn);
  return failure(reference === undefined ? message : `${message} (reference ${reference})`);
}

function failure(message: string, exitCode: number = exitCodes.failed): Failure {
  return { sentence: printable(message.replace(/\s+/g, " ").trim()), exitCode };
}
