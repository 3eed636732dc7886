// Keeps the sign-in between commands, in a file that nobody else can read.
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import { type ApiClient, connectApi } from "../api/connect.ts";
import { CommandError, exitCodes, reasonOf } from "./failure.ts";

const session = z.object({
  url: z.url({ protocol: /^https?$/ }),
  email: z.string(),
  token: z.string().min(1),
  expiresAt: z.iso.datetime(),
});

export type Session = z.infer<typeof session>;

/** The client of whoever is signed in. Throws `CommandError` with the exit code for it where nobody is. */
export async function openSession(file: string): Promise<ApiClient> {
  const kept = session.safeParse(parseJson(await readFile(file, "utf8").catch(() => ""))).data;
  if (!kept) throw notSignedIn('You are not signed in: run "xvault sign-in" first.');
  if (Date.parse(kept.expiresAt) <= Date.now())
    throw notSignedIn('Your sign-in has expired: run "xvault sign-in" again.');
  return connectApi({ url: kept.url, token: kept.token });
}

/** In one step: a reader finds the old session or the new one, and other users of the machine find neither. */
export async function keepSession(file: string, kept: Session): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(partial, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600, flag: "w" });
    await chmod(partial, 0o600);
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true });
    throw new CommandError(`The sign-in cannot be kept in ${file}: ${reasonOf(cause)}.`, { cause });
  }
}

function notSignedIn(message: string): CommandError {
  return new CommandError(message, { exitCode: exitCodes.notSignedIn });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
