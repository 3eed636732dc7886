// `xvault sign-out`: ends the session at the hub, and forgets it here in any case.
import { rm } from "node:fs/promises";
import { ApiError } from "../api/api-error.ts";
import { resumeSession } from "../api/session.ts";
import { sessionFile } from "../api/session-file.ts";
import { CommandError } from "./failure.ts";
import { momentText, printable } from "./figures.ts";
import { readKeptKey } from "./session.ts";
import type { Terminal } from "./terminal.ts";

export async function signOut({ stdout, sessionFile: file }: Terminal): Promise<void> {
  const store = sessionFile(file);
  const session = await resumeSession({ store });
  if (!session) {
    const key = await readKeptKey(file);
    await rm(file, { force: true });
    stdout.write(key ? "The API key is forgotten here; it works until it is revoked.\n" : "You are not signed in.\n");
    return;
  }
  const until = (await store.load())?.refreshTokenExpiresAt;
  try {
    await session.signOut();
  } catch (error) {
    if (!(error instanceof ApiError) || until === undefined) throw error;
    const rest = `and may last until ${momentText(until)} for whoever has its tokens`;
    throw new CommandError(`The session is forgotten here, ${rest}: ${error.message}`, { cause: error });
  }
  stdout.write(`${printable(session.email)} is signed out.\n`);
}
