// A file or directory on an SSH server: as the stream of a `tar` that runs there, or over SFTP where no command does.
import type { Entry, Warning } from "#artifact/node";
import type { Selection } from "./selection.ts";
import { SftpSession } from "./sftp/session.ts";
import { SftpTree } from "./sftp/tree.ts";
import type { Estimate } from "./source.ts";
import { SourceError } from "./source-error.ts";
import type { SshConnection } from "./ssh/connection.ts";
import { findTarProgram } from "./ssh/tar-program.ts";
import { TarTree } from "./ssh/tar-tree.ts";

export interface RemoteTreeOptions {
  /** Of a file or directory on the server; a relative one begins where the sign-in leads. */
  readonly path: string;
  /** What of it is taken, and how much it may be. Counts what is read, so every reading needs one of its own. */
  readonly selection: Selection;
  /** How long a request may stay without an answer. */
  readonly stallMs: number;
  /** For messages. */
  readonly username: string;
}

/** Lives as long as its connection. Methods throw `SourceError` or the reason of the connection's signal. */
export interface RemoteTree {
  readonly method: "tar" | "sftp";
  /** What reads the files on the server, e.g. `tar` (GNU tar) `1.34`; null over SFTP. */
  readonly tool: { readonly name: string; readonly version: string } | null;
  /** A few names, of the uppermost level alone. Throws PATH_NOT_FOUND where there is nothing to read. */
  sample(): Promise<string[]>;
  /** Null where counting would take as long as reading. Throws as `sample` does. */
  estimate(): Promise<Estimate | null>;
  /** As `Source.entries`, and read once like those. Throws PATH_NOT_FOUND before the first entry. */
  entries(warn: (warning: Warning) => void): AsyncIterable<Entry>;
}

/** The connection stays the caller's. Throws `SourceError` where the server neither runs commands nor offers SFTP. */
export async function openRemoteTree(connection: SshConnection, options: RemoteTreeOptions): Promise<RemoteTree> {
  const program = await findTar(connection, options.stallMs);
  if (program instanceof SourceError || program === null) return openOverSftp(connection, options);
  // BusyBox excludes nothing by itself, and has no way to give the content of a hard link whose first name is left out.
  if (program.kind === "busybox" && !options.selection.isEverything) {
    try {
      return await openOverSftp(connection, options);
    } catch {
      connection.over.throwIfAborted();
    }
  }
  return new TarTree(connection, program, options);
}

/** The error where the server runs no commands. */
async function findTar(connection: SshConnection, stallMs: number) {
  try {
    return await findTarProgram(connection, stallMs);
  } catch (error) {
    connection.over.throwIfAborted();
    if (error instanceof SourceError) return error;
    throw error;
  }
}

async function openOverSftp(connection: SshConnection, options: RemoteTreeOptions): Promise<SftpTree> {
  return new SftpTree(await SftpSession.open(connection, options.stallMs), options);
}
