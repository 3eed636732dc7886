// What the settings of a source must look like, per type, and what follows from them. Secrets are never among them.
import * as z from "zod";
import { database, hooks, path, selection, server, sshServer } from "./source-places.ts";

const files = { ...sshServer, path, ...selection };

/** The settings of each type of source. */
export const sourceConfig = {
  SSH: z.strictObject({ ...files, hooks }, "SSH needs { host, port, username, path } and nothing unknown."),
  SFTP: z.strictObject(files, "SFTP needs { host, port, username, path } and nothing unknown."),
  FTP: z.strictObject(
    {
      ...server(21),
      path,
      ...selection,
      tls: z.enum(["required", "off"], "TLS is required or off.").optional(),
      certificate: z
        .strictObject({
          authority: database.authority,
          fingerprint: z
            .string()
            .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "A fingerprint looks like SHA256:….")
            .optional(),
        })
        .optional(),
    },
    "FTP needs { host, port, username, path } and nothing unknown.",
  ),
  MYSQL: z.strictObject(
    { ...server(3306), socket: path.optional(), ...database },
    "MySQL needs { host, port, username } and nothing unknown.",
  ),
  POSTGRES: z.strictObject(
    { ...server(5432), ...database, globals: z.boolean("Globals are taken (true) or not (false).").optional() },
    "PostgreSQL needs { host, port, username } and nothing unknown.",
  ),
  WORDPRESS: z.strictObject(files, "WordPress needs { host, port, username, path } and nothing unknown."),
} as const;

type SourceTypeName = keyof typeof sourceConfig;

/** What all settings have in common, however old they are. */
const anyConfig = z.object({
  host: z.string(),
  port: z.number().optional(),
  jump: z.object({ host: z.string(), port: z.number().optional() }).optional(),
  ssh: z
    .object({
      host: z.string(),
      port: z.number().optional(),
      jump: z.object({ host: z.string(), port: z.number().optional() }).optional(),
    })
    .optional(),
});

/** Types that are always reached over SSH; databases are where their settings have `ssh`. */
export const typesOverSsh: ReadonlySet<string> = new Set<SourceTypeName>(["SSH", "SFTP", "WORDPRESS"]);

export interface Place {
  readonly host: string;
  readonly port?: number | undefined;
}

export interface Route {
  /** The one server that a worker itself connects to: what lies behind it is looked up there. */
  readonly first: Place;
  /** Whose host keys are pinned before a secret is ever sent; null where there is no such server. */
  readonly ssh: Place | null;
  readonly jump: Place | null;
}

/** How a source is reached. Null for settings that are none. */
export function routeOf(type: string, config: unknown): Route | null {
  const parsed = anyConfig.safeParse(config);
  if (!parsed.success) return null;
  const { ssh: tunnel, ...itself } = parsed.data;
  const ssh = typesOverSsh.has(type) ? itself : (tunnel ?? null);
  const jump = ssh?.jump ?? null;
  return { first: jump ?? ssh ?? itself, ssh, jump };
}
