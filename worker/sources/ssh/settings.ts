// The settings that lead to an SSH server, shared by every type of source that is reached through one.
import * as z from "zod";
import { type ConnectOptions, defaultStallMs, type SignIn } from "../source.ts";
import { SourceError } from "../source-error.ts";
import type { SshRoute } from "./connection.ts";

const sshHost = z.object({
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535).default(22),
  /** Where it is missing, the secrets have it. */
  username: z.string().min(1).max(256).optional(),
});

/** An SSH server, by way of a jump host where there is one. */
export const sshRoute = sshHost.extend({ jump: sshHost.optional() });

/** An absolute path, or one relative to where the sign-in leads. */
export const remotePath = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => !path.includes("\0"));

type SshRouteSettings = z.infer<typeof sshRoute>;

/** The way to an SSH server that settings describe. `signIn` opens that server itself. Throws `SourceError`. */
export function routeTo(
  { jump, ...target }: SshRouteSettings,
  signIn: SignIn,
  { secrets, pinned, allowedNetworks, signal, stallMs = defaultStallMs }: ConnectOptions,
): SshRoute {
  return {
    target: targetOf(target, signIn, pinned.hostKey),
    jump: jump ? targetOf(jump, secrets.jump ?? {}, pinned.jumpHostKey) : null,
    allowedNetworks,
    signal,
    stallMs,
  };
}

function targetOf({ host, port, username: configured }: z.infer<typeof sshHost>, signIn: SignIn, pin: string | null) {
  const username = configured ?? signIn.username;
  if (username === undefined)
    throw new SourceError(
      "SOURCE_AUTH_FAILED",
      "This source has no user name to sign in with: add it to its settings.",
    );
  return { host, port, username, signIn, pinnedHostKey: pin };
}
