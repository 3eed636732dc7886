// Finds out where a path on an SSH server leads once every link in it is followed.
import { SftpSession, SftpStatusError, sftpStatus } from "../sftp/session.ts";
import { SourceError } from "../source-error.ts";
import type { SshConnection } from "../ssh/connection.ts";
import { runScript } from "../ssh/shell-script.ts";

/** Absolute and without links; null where there is nothing. Throws `SourceError`. */
export type RealPath = (path: string) => Promise<string | null>;

const longestAnswer = 65_536;

/** Over SFTP, or by a command where the server offers none. */
export async function realPaths(connection: SshConnection, stallMs: number): Promise<RealPath> {
  try {
    const session = await SftpSession.open(connection, stallMs);
    return (path) => overSftp(session, path);
  } catch (error) {
    connection.over.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
    return (path) => byCommand(connection, path, stallMs);
  }
}

async function overSftp(session: SftpSession, path: string): Promise<string | null> {
  try {
    // Servers make up a real path for what is not there.
    await session.stat(path);
    return await session.realPath(path);
  } catch (error) {
    if (!(error instanceof SftpStatusError)) throw error;
    if (error.status === sftpStatus.permissionDenied) throw closed(path, error);
    return null;
  }
}

async function byCommand(connection: SshConnection, path: string, silenceMs: number): Promise<string | null> {
  const script = `[ -e "$1" ] || exit 0; printf 'at '; readlink -f -- "$1"`;
  await using command = await runScript(connection, script, [path], { silenceMs });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of command.output) {
    length += chunk.length;
    if (length > longestAnswer) break;
    chunks.push(Buffer.from(chunk));
  }
  const answer = /^at (\/[\s\S]*)\n$/.exec(Buffer.concat(chunks).toString());
  if (answer?.[1] !== undefined) return answer[1];
  if (length > 0) throw closed(path);
  return null;
}

function closed(path: string, cause?: unknown): SourceError {
  return new SourceError("PATH_NOT_FOUND", `The user of this source has no right to look at the path “${path}”.`, {
    cause,
  });
}
