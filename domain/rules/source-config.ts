// What the settings of a source must look like, per type. Types that no worker serves yet are refused by name.
import * as z from "zod";

const host = z
  .string("Name the host.")
  .trim()
  .min(1, { error: "Name the host.", abort: true })
  .max(253, "A host name has at most 253 characters.")
  .regex(/^[A-Za-z0-9._:[\]-]+$/, "A host is a name or an address, without a port or user.");

const portError = "A port is a number from 1 to 65535.";
const port = z.number(portError).int(portError).min(1, portError).max(65_535, portError);

const sftp = z.strictObject(
  {
    host,
    port: port.default(22),
    username: z
      .string("Name the user to sign in as.")
      .min(1, "Name the user to sign in as.")
      .max(256, "A user name has at most 256 characters.")
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, "A user name has no control characters."),
    path: z
      .string("Name the file or directory to back up.")
      .min(1, "Name the file or directory to back up.")
      .max(4096, "A path has at most 4096 characters.")
      .regex(/^[^\0\p{Cs}]*$/u, "A path has no NUL and no half characters."),
  },
  "SFTP needs { host, port, username, path } and nothing else.",
);

const unavailable = z.never("Sources of this type cannot be made yet; use SFTP.");

/** The settings of each type of source, secrets apart. */
export const sourceConfig = {
  SFTP: sftp,
  SSH: unavailable,
  FTP: unavailable,
  MYSQL: unavailable,
  POSTGRES: unavailable,
  WORDPRESS: unavailable,
} as const;

/** Types that talk SSH, whose host key is pinned before a password is ever sent. */
export const typesWithHostKey: ReadonlySet<string> = new Set(["SSH", "SFTP", "WORDPRESS"]);
