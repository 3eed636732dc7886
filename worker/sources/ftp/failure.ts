// Says why an FTP server could not be reached, believed or signed in to, without a word of what the server said.
import { SourceError } from "../source-error.ts";

/** The server's answer to one command, where it is a refusal; the session itself goes on. */
export class FtpRefusal extends Error {
  override readonly name = "FtpRefusal";
  readonly code: number;

  constructor(code: number, text: string) {
    super(`the server answered with ${code}: ${text.replace(/[^\x20-\x7e]/g, "?").slice(0, 200)}`);
    this.code = code;
  }
}

/** Replies that speak of the connection and not of the file: another try may go better. */
const passing: ReadonlySet<number> = new Set([421, 425, 426]);

/** Of a file that is not there, or not for this user. */
export const unavailable = 550;

export function isPassing(error: unknown): boolean {
  if (error instanceof FtpRefusal) return passing.has(error.code);
  return error instanceof SourceError && error.code === "SOURCE_DISCONNECTED";
}

/** Whether a sign-in may have failed for no other reason than that there were others at the same time. */
export function mayBeAboutNumbers(error: unknown): boolean {
  if (!(error instanceof SourceError)) return false;
  return error.code === "SOURCE_DISCONNECTED" || error.cause instanceof FtpRefusal;
}

export function signInRefused(host: string, username: string, encrypted: boolean, cause: unknown): SourceError {
  const hint = encrypted ? "" : ", or have “tls” required: some servers let nobody in without";
  return new SourceError(
    "SOURCE_AUTH_FAILED",
    `The server “${host}” did not accept the sign-in of “${username}”: check the user name and the password of this source${hint}.`,
    { cause },
  );
}

export function passwordUnfit(): SourceError {
  return new SourceError(
    "SOURCE_AUTH_FAILED",
    "The password of this source is missing or has a line break, which FTP cannot send: set it again.",
  );
}

export function tooBusy(host: string, cause: unknown): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The server “${host}” takes no more connections at the moment: raise its limit, or back up when less is going on there.`,
    { cause },
  );
}

export function notFtp(host: string, port: number): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `What “${host}” sends on port ${port} is not FTP: check the port of this source.`,
  );
}

export function noEncryption(host: string, cause: unknown): SourceError {
  return new SourceError(
    "SOURCE_AUTH_FAILED",
    `The server “${host}” offers no encryption, so no password was sent: switch on TLS there, or set “tls” to “off” if the password and all files may travel readable for anyone.`,
    { cause },
  );
}

export function noHandshake(host: string, cause: unknown): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The server “${host}” and xVault could not agree on an encryption: its FTP software or its TLS settings may be very old.`,
    { cause },
  );
}

export function filesUnencrypted(host: string, cause: unknown): SourceError {
  return new SourceError(
    "SOURCE_AUTH_FAILED",
    `The server “${host}” encrypts the sign-in but refuses to encrypt files (PROT P), so none was asked for: have it allow that.`,
    { cause },
  );
}

export function otherCertificate(host: string, shown: string): SourceError {
  return new SourceError(
    "HOST_KEY_CHANGED",
    `The server “${host}” shows another certificate than the one this source expects, so no password was sent: find out why, and set the fingerprint to ${shown} if the change was yours.`,
  );
}

export function strangerSendsFiles(host: string, cause: unknown): SourceError {
  return new SourceError(
    "HOST_KEY_CHANGED",
    `Somebody with another certificate than that of the server “${host}” answered where its files were to come from: nothing was taken from there, and you should find out who it was.`,
    { cause },
  );
}

export function untrustedCertificate(host: string, why: string, shown: string): SourceError {
  return new SourceError(
    "SOURCE_AUTH_FAILED",
    `The certificate of the server “${host}” ${why}, so no password was sent: have it replaced, give the authority that signed it, or pin its fingerprint ${shown} in this source.`,
  );
}

export function authorityUnfit(cause: unknown): SourceError {
  return new SourceError(
    "SOURCE_AUTH_FAILED",
    "The certificate authority of this source is not a certificate in PEM form: paste it again, from BEGIN to END CERTIFICATE.",
    { cause },
  );
}

export function sentElsewhere(host: string): SourceError {
  return new SourceError(
    "HOST_NOT_ALLOWED",
    `The server “${host}” wants files to be fetched from another address than its own, which is refused: set its own public address for passive mode there (ProFTPD: MasqueradeAddress, vsftpd: pasv_address).`,
  );
}

export function noPassiveMode(host: string, cause: unknown): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The server “${host}” offers no passive mode, and a backup never lets servers connect to it: have passive mode switched on there.`,
    { cause },
  );
}

export function dataUnreachable(host: string, cause: unknown): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The server “${host}” takes commands but not the connections that carry files: open its passive ports in its firewall.`,
    { cause },
  );
}

export function directoryTooLarge(path: string): SourceError {
  return new SourceError(
    "QUOTA_EXCEEDED",
    `The directory “${path}” has more files than FTP can list in one go: exclude it, or back it up over SFTP.`,
  );
}
