// `xvault sign-in`: proves who you are, and keeps what proves it for the commands that follow.
import { connectApi } from "../api/connect.ts";
import { beginSession } from "../api/session.ts";
import { sessionFile } from "../api/session-file.ts";
import { listTenants } from "../api/tenants.ts";
import { CommandError, exitCodes } from "./failure.ts";
import { momentText, printable } from "./figures.ts";
import { endpointOf, isOpenToOthers } from "./hub-address.ts";
import { readApiKey, readPassword } from "./read-password.ts";
import { keepKey, useKey } from "./session.ts";
import type { Terminal } from "./terminal.ts";

export interface SignInOptions {
  readonly url: string;
  readonly email?: string;
  readonly passwordFile?: string;
  readonly apiKey?: boolean;
}

export async function signIn(
  terminal: Terminal,
  { email, passwordFile, apiKey, ...where }: SignInOptions,
): Promise<void> {
  const endpoint = endpointOf(where.url);
  const secrets = apiKey ? "API key" : "password";
  if (!apiKey && email === undefined)
    throw new CommandError("Say with --email who you are, or sign in with --api-key.", { exitCode: exitCodes.usage });
  if (isOpenToOthers(endpoint))
    terminal.stderr.write(
      `Note: ${endpoint.origin} is not encrypted; the ${secrets} and all that follows can be read.\n`,
    );
  const url = endpoint.href;
  if (email === undefined) await signInWithKey(terminal, url);
  else await signInAs(terminal, { url, email, password: await readPassword(terminal, passwordFile) });
}

async function signInAs(
  { stdout, signal, sessionFile: file }: Terminal,
  person: { readonly url: string; readonly email: string; readonly password: string },
): Promise<void> {
  const store = sessionFile(file);
  const session = await beginSession(person, { store, signal });
  const until = (await store.load())?.refreshTokenExpiresAt ?? "";
  stdout.write(`Signed in as ${printable(session.email)} until ${momentText(until)}, and longer where you use it.\n`);
}

async function signInWithKey(terminal: Terminal, url: string): Promise<void> {
  const { stdout, signal, sessionFile: file } = terminal;
  const apiKey = await readApiKey(terminal);
  const { tenants } = await connectApi({ url, session: useKey(apiKey) }).query(listTenants, {}, { signal });
  await keepKey(file, { url, apiKey });
  const names = tenants.nodes.map(({ name }) => printable(name)).join(", ");
  stdout.write(`Signed in with an API key of ${names}.\n`);
}
