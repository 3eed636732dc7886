// The keys that a command is given: read, and looked at before anything is done with them.
import { createReadStream } from "node:fs";
import { text } from "node:stream/consumers";
import { Decrypter, Encrypter } from "age-encryption";
import { CommandError, exitCodes, reasonOf } from "../failure.ts";

/** A key file is small; anything else was not meant. */
const longestKeyFile = 65_536;

/** The identities of a file such as age-keygen writes: one a line, comments behind `#`. No message quotes them. */
export async function readKeys(path: string): Promise<string[]> {
  const content = await text(createReadStream(path, { end: longestKeyFile - 1 })).catch((cause: unknown) => {
    throw new CommandError(`The key file ${path} cannot be read: ${reasonOf(cause)}.`, {
      cause,
      exitCode: exitCodes.usage,
    });
  });
  const lines = content.split("\n").map((line) => line.trim());
  const keys = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (keys.length > 0 && keys.every((key) => isTaken(() => new Decrypter().addIdentity(key)))) return keys;
  throw new CommandError(`${path} is not a key file: each line of it has to be one whole AGE-SECRET-KEY-….`, {
    exitCode: exitCodes.usage,
  });
}

/** Throws `CommandError` unless there are recipients, and all of them are. */
export function checkRecipients(recipients: readonly string[]): void {
  const wrong = recipients.find((recipient) => !isTaken(() => new Encrypter().addRecipient(recipient)));
  if (wrong === undefined && recipients.length > 0) return;
  throw new CommandError(wrong === undefined ? "Name at least one --recipient." : refusalOf(wrong), {
    exitCode: exitCodes.usage,
  });
}

function refusalOf(recipient: string): string {
  if (/^AGE-SECRET-KEY-/i.test(recipient))
    return "A private key is no --recipient: name the public key that belongs to it, see age-keygen -y.";
  return `"${recipient}" is no --recipient: that is a whole public key, age1…, as age-keygen prints it.`;
}

function isTaken(take: () => void): boolean {
  try {
    take();
    return true;
  } catch {
    return false;
  }
}
