// Who runs the commands: the person who has signed in, or the program whose API key was given.
import { readFile } from "node:fs/promises";
import * as z from "zod";
import type { Bearer } from "../api/access.ts";
import { type ApiClient, connectApi } from "../api/connect.ts";
import { writePrivateFile } from "../api/private-file.ts";
import { resumeSession } from "../api/session.ts";
import { sessionFile } from "../api/session-file.ts";
import { CommandError, exitCodes } from "./failure.ts";
import { endpointOf } from "./hub-address.ts";
import type { Terminal } from "./terminal.ts";

const keptKey = z.object({ url: z.url({ protocol: /^https?$/ }), apiKey: z.string().min(1) });

/** An API key that was signed in with, and the hub it is for. */
export type KeptKey = z.infer<typeof keptKey>;

/** The client of whoever is signed in. Throws `CommandError` with the exit code for it where nobody is. */
export async function openSession({ sessionFile: file, apiKey, hubUrl }: Terminal): Promise<ApiClient> {
  const key = await readKeptKey(file);
  const store = sessionFile(file);
  const kept = await store.load();
  if (apiKey !== undefined)
    return connectApi({ url: urlFor(hubUrl ?? kept?.url ?? key?.url), session: useKey(apiKey) });
  if (key) return connectApi({ url: key.url, session: useKey(key.apiKey) });
  if (kept && Date.parse(kept.refreshTokenExpiresAt) <= Date.now())
    throw notSignedIn('Your sign-in has expired: run "xvault sign-in" again.');
  const session = await resumeSession({ store });
  if (!session) throw notSignedIn('You are not signed in: run "xvault sign-in" first.');
  return connectApi({ url: session.url, session });
}

/** The API key, for as long as the hub takes it. */
export function useKey(apiKey: string): Bearer {
  return {
    async accessToken(refused) {
      if (refused === undefined) return apiKey;
      throw notSignedIn("The hub does not take this API key, or not any more: use another one.");
    },
  };
}

/** Null where no key was signed in with. */
export async function readKeptKey(file: string): Promise<KeptKey | null> {
  return keptKey.safeParse(parseJson(await readFile(file, "utf8").catch(() => ""))).data ?? null;
}

export async function keepKey(file: string, kept: KeptKey): Promise<void> {
  await writePrivateFile(file, `${JSON.stringify(kept, null, 2)}\n`);
}

function urlFor(address: string | undefined): string {
  if (address !== undefined) return endpointOf(address).href;
  const message = "Say with XVAULT_URL which hub the API key is for, such as https://vault.example.com/graphql.";
  throw new CommandError(message, { exitCode: exitCodes.usage });
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
