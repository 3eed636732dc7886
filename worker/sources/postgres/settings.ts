// The settings of a PostgreSQL source, and what programs of libpq make of them: names in their environment, which they take literally.
import * as z from "zod";
import { SourceError } from "../source-error.ts";
import { sshRoute } from "../ssh/settings.ts";

const name = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => !text.includes("\0"));
const patterns = z
  .array(z.string().min(1).max(1024))
  .max(1000)
  .refine((all) => !all.some((pattern) => pattern.includes("\0")))
  .default([]);

export const postgresConfig = z
  .object({
    /** Over SSH: as the SSH server sees it. Neither a socket's directory nor a list, both of which libpq would take here. */
    host: z
      .string()
      .max(253)
      .regex(/^[A-Za-z0-9._:[\]-]+$/)
      .optional(),
    port: z.int().min(1).max(65_535).default(5432),
    /** Where it is missing, the secrets have it. */
    username: name.optional(),
    /** `verified` knows the server by its certificate, `required` only encrypts. Over SSH, which encrypts, it has no say. */
    tls: z.enum(["required", "verified", "off"]).default("required"),
    /** PEM, in place of the authorities that the world trusts. */
    authority: z.string().max(1_048_576).optional(),
    /** All but the templates where it is missing. */
    databases: z.array(name).min(1).max(1000).optional(),
    /** As `--table` and `--exclude-table` of pg_dump take them: `public.*`, `*.log_*`. */
    includeTables: patterns,
    excludeTables: patterns,
    /** Whether roles, tablespaces and grants to roles are kept too. */
    globals: z.boolean().default(true),
    ssh: sshRoute
      .extend({
        /** Where pg_dump runs: on the SSH server, where it has one, or here, with the connection led through SSH. */
        dump: z.enum(["near", "far"]).default("far"),
      })
      .optional(),
  })
  .refine(({ host, ssh }) => host !== undefined || ssh !== undefined, { path: ["host"] });

export type PostgresConfig = z.output<typeof postgresConfig>;

/** The way in, for programs of libpq. */
export interface Access {
  readonly username: string;
  readonly env: Readonly<Record<string, string>>;
  /** One line of a password file; null where there is no password. */
  readonly passwordLine: string | null;
}

const connectSeconds = 20;

/** Throws `SourceError` SOURCE_AUTH_FAILED where there is no user name, or a password that no password file can hold. */
export function accessOf(
  { username: configured }: Pick<PostgresConfig, "username">,
  secrets: { readonly username?: string | undefined; readonly password?: string | undefined },
  way: Readonly<Record<string, string>>,
): Access {
  const username = configured ?? secrets.username;
  if (username === undefined)
    throw new SourceError(
      "SOURCE_AUTH_FAILED",
      "This source has no user name to sign in with: add it to its settings.",
    );
  return {
    username,
    env: {
      PGUSER: username,
      PGCONNECT_TIMEOUT: `${connectSeconds}`,
      PGAPPNAME: "xvault",
      // Otherwise libpq may ask a Kerberos library first, which reads files of its own.
      PGGSSENCMODE: "disable",
      ...way,
    },
    passwordLine: secrets.password === undefined ? null : passwordLine(secrets.password),
  };
}

function passwordLine(password: string): string {
  if (/[\0\r\n]/.test(password))
    throw new SourceError(
      "SOURCE_AUTH_FAILED",
      "The password of this source has a line break or a NUL character in it, which PostgreSQL's programs cannot take: change it.",
    );
  return `*:*:*:*:${password.replace(/[\\:]/g, "\\$&")}\n`;
}
