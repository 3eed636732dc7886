// The parts that settings of sources are made of: hosts, ways to them, paths, selections. Every rule has its own sentence.
import * as z from "zod";

const visible = /^[^\p{Cc}\p{Cs}]*$/u;

const host = z
  .string("Name the host.")
  .trim()
  .min(1, { error: "Name the host.", abort: true })
  .max(253, "A host name has at most 253 characters.")
  .regex(/^[A-Za-z0-9._:[\]-]+$/, "A host is a name or an address, without a port or user.");

const portError = "A port is a number from 1 to 65535.";
const port = z.number(portError).int(portError).min(1, portError).max(65_535, portError);

const username = z
  .string("Name the user to sign in as.")
  .min(1, "Name the user to sign in as.")
  .max(256, "A user name has at most 256 characters.")
  .regex(visible, "A user name has no control characters.");

/** A server and whom to sign in as, with the port its protocol has where none is given. */
export function server(defaultPort: number) {
  return { host, port: port.default(defaultPort), username };
}

/** An SSH server, by way of a jump host where there is one. */
export const sshServer = {
  ...server(22),
  jump: z.strictObject(server(22), "A jump host needs { host, port, username } and nothing else.").optional(),
};

export const path = z
  .string("Name the file or directory to back up.")
  .min(1, "Name the file or directory to back up.")
  .max(4096, "A path has at most 4096 characters.")
  .regex(/^[^\0\p{Cs}]*$/u, "A path has no NUL and no half characters.");

const globs = z
  .array(
    z.string().min(1, "A pattern is not empty.").max(1024, "A pattern has at most 1024 characters.").regex(visible),
  )
  .max(1000, "There are at most 1000 patterns.")
  .optional();

/** What of the files is taken. */
export const selection = {
  include: globs,
  exclude: globs,
  maxEntries: z.number().int().min(1, "A limit is at least 1.").optional(),
  maxBytes: z.number().int().min(1, "A limit is at least 1.").optional(),
  strict: z.boolean("Strict is true or false.").optional(),
};

const dataName = z
  .string()
  .min(1, "A name is not empty.")
  .max(256, "A name of a database or table has at most 256 characters.")
  .regex(/^[^\0\p{Cs}]*$/u, "A name of a database or table has no NUL.");
const dataNames = z.array(dataName).min(1, "Leave the list out, or name at least one.").max(1000).optional();

/** What of a database server is taken, and how it is reached. */
export const database = {
  databases: dataNames,
  includeTables: dataNames,
  excludeTables: dataNames,
  tls: z.enum(["required", "verified", "off"], "TLS is required, verified or off.").optional(),
  authority: z
    .string()
    .max(65_536, "A certificate authority has at most 65536 characters.")
    .regex(/^\s*-----BEGIN CERTIFICATE-----/, "A certificate authority begins with -----BEGIN CERTIFICATE-----.")
    .optional(),
  ssh: z
    .strictObject(
      { ...sshServer, dump: z.enum(["near", "far"], "A dump is made near or far.").optional() },
      "The way over SSH needs { host, port, username }, and may have a jump host and dump.",
    )
    .optional(),
};

const hook = z.strictObject({
  command: z
    .string()
    .min(1, "A hook has a command.")
    .max(8192, "A command has at most 8192 characters.")
    .regex(/^[^\0\p{Cs}]*$/u, "A command has no NUL."),
  timeoutSeconds: z.number().int().min(1).max(86_400, "A hook may take a day at most.").optional(),
});

/** Commands of the customer's own, around a backup. */
export const hooks = z
  .strictObject({
    before: hook.optional(),
    after: hook.optional(),
    onFailure: z.enum(["fail", "warn"], "A failing hook makes the backup fail or warn.").optional(),
  })
  .optional();
