// `xvault sign-in`: proves who you are, and keeps the token for the commands that follow.
import { connectApi } from "../api/connect.ts";
import { accepted } from "../api/refusal.ts";
import * as sessions from "../api/sessions.ts";
import { CommandError, exitCodes } from "./failure.ts";
import { momentText, printable } from "./figures.ts";
import { readPassword } from "./read-password.ts";
import { keepSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";

export interface SignInOptions {
  readonly url: string;
  readonly email: string;
  readonly passwordFile?: string;
}

export async function signIn(terminal: Terminal, { url, email, passwordFile }: SignInOptions): Promise<void> {
  const endpoint = endpointOf(url);
  if (endpoint.protocol === "http:" && !isLoopback(endpoint.hostname))
    terminal.stderr.write(
      `Note: ${endpoint.origin} is not encrypted; the password and all that follows can be read.\n`,
    );
  const password = await readPassword(terminal, passwordFile);
  const api = connectApi({ url: endpoint.href });
  const answer = await api.query(sessions.signIn, { input: { email, password } }, { signal: terminal.signal });
  const { accessToken, expiresAt, user } = accepted(answer.signIn);
  await keepSession(terminal.sessionFile, { url: endpoint.href, email: user.email, token: accessToken, expiresAt });
  terminal.stdout.write(`Signed in as ${printable(user.email)} until ${momentText(expiresAt)}.\n`);
}

/** The address of the API; the hub's own address will do. */
function endpointOf(text: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== "")
    throw new CommandError(`"${text}" is not the address of a hub, such as https://vault.example.com/graphql.`, {
      exitCode: exitCodes.usage,
    });
  if (url.pathname === "/") url.pathname = "/graphql";
  return url;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
