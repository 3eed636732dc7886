// Says why an SSH server could not be reached or would not let us in, without a word of what the server said.
import { SourceError } from "../source-error.ts";

/** How ssh2 and the socket below it mark their errors. */
export type SshFault = Error & { readonly level?: string; readonly code?: string | number };

interface Peer {
  readonly host: string;
  readonly port: number;
  readonly username: string;
}

export function authFailed({ host, username }: Pick<Peer, "host" | "username">, cause?: unknown): SourceError {
  return new SourceError(
    "SOURCE_AUTH_FAILED",
    `The server “${host}” did not accept the sign-in of “${username}”: check the user name and the password or key of this source.`,
    { cause },
  );
}

export function hostKeyChanged(host: string, cause?: unknown): SourceError {
  return new SourceError(
    "HOST_KEY_CHANGED",
    `The server “${host}” shows another host key than before, so no password was sent: find out why, and accept the new key if the change was yours.`,
    { cause },
  );
}

export function connectionLost(host: string, cause?: unknown): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The server “${host}” ended the connection before everything was read.`,
    {
      cause,
    },
  );
}

export function stalled(host: string, cause?: unknown): SourceError {
  return new SourceError(
    "SOURCE_STALLED",
    `The server “${host}” stopped sending in the middle of the backup: it is overloaded, or its network is.`,
    { cause },
  );
}

export function silent(host: string): SourceError {
  return new SourceError(
    "SOURCE_STALLED",
    `A command on the server “${host}” has said nothing for too long: the server is overloaded, or something there waits for a lock.`,
  );
}

export function noSftp(host: string, cause?: unknown): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The server “${host}” let us in but offers no SFTP: have its SFTP subsystem switched on for this user.`,
    { cause },
  );
}

export function noCommands(host: string, cause?: unknown): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The server “${host}” let us in but runs no commands for this user: allow it a shell, or back up over SFTP instead.`,
    { cause },
  );
}

/** For everything that goes wrong before the session stands. */
export function unreachable(peer: Peer, fault: SshFault): SourceError {
  if (fault.level === "client-authentication") return authFailed(peer, fault);
  return new SourceError("SOURCE_DISCONNECTED", describe(peer, fault), { cause: fault });
}

function describe({ host, port }: Peer, { level, code }: SshFault): string {
  if (code === "ECONNREFUSED") return `The server “${host}” refused the connection: nothing listens on port ${port}.`;
  if (level === "client-timeout" || code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH")
    return `The server “${host}” did not answer on port ${port}: check the address, the port and its firewall.`;
  if (level === "handshake")
    return `The server “${host}” and xVault have no way of encryption in common: the server's SSH software may be very old.`;
  return `The connection to “${host}” on port ${port} ended before the sign-in was complete.`;
}
