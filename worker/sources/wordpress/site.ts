// Finds the wp-config.php of a WordPress site where WordPress itself looks for it, and reads what it and the site's own files say.
import { posix } from "node:path";
import type { Entry } from "#artifact/node";
import { printable } from "../printable-path.ts";
import { openRemoteTree, type RemoteTreeOptions } from "../remote-tree.ts";
import { Selection } from "../selection.ts";
import { SourceError } from "../source-error.ts";
import type { SshConnection } from "../ssh/connection.ts";
import { stalled } from "../ssh/failure.ts";
import { readPhpSettings } from "./php-settings.ts";
import { PhpSyntaxError } from "./php-tokens.ts";
import { type RealPath, realPaths } from "./real-path.ts";
import { largestWpConfig, parseWpConfig, type WpConfig } from "./wp-config.ts";

export type SiteOptions = Omit<RemoteTreeOptions, "selection">;

export interface Site {
  readonly config: WpConfig;
  /** Where it really lies, if that is beside the site's directory and so no part of it; null otherwise. */
  readonly configAbove: string | null;
  /** E.g. `6.1.9`; null where the site's files do not say. */
  readonly version: string | null;
}

const versionFile = "wp-includes/version.php";
/** Ten times what it has. */
const largestVersionFile = 65_536;

/** Throws `SourceError`: PATH_NOT_FOUND where there is no such site, DUMP_FAILED for a configuration that cannot be understood. */
export async function findSite(connection: SshConnection, options: SiteOptions): Promise<Site> {
  const realPath = await realPaths(connection, options.stallMs);
  const root = await realPath(options.path);
  if (root === null)
    throw new SourceError("PATH_NOT_FOUND", `The path “${printable(options.path)}” does not exist on the server.`);
  const path = await findConfig(realPath, root);
  const file = await readFile(connection, { ...options, path }, largestWpConfig);
  return {
    config: parseWpConfig(file),
    configAbove: isWithin(path, root) ? null : path,
    version: await findVersion(connection, realPath, { ...options, path: root }),
  };
}

/** In the site's directory or else in the one above it, unless that is another site. */
async function findConfig(realPath: RealPath, root: string): Promise<string> {
  const above = posix.dirname(root);
  const isSite = above !== root && (await realPath(posix.join(above, "wp-settings.php"))) !== null;
  for (const directory of isSite || above === root ? [root] : [root, above]) {
    const path = await realPath(posix.join(directory, "wp-config.php"));
    if (path === null) continue;
    // Who may write to one site must not get at the password of another one by a link.
    if (isWithin(path, root) || (posix.dirname(path) === above && !isSite)) return path;
    throw new SourceError(
      "PATH_NOT_FOUND",
      `The wp-config.php in “${printable(directory)}” is a link to a place outside of the site, which is not followed: put the file itself there, or back up the files and the database of the site as two sources.`,
    );
  }
  throw new SourceError(
    "PATH_NOT_FOUND",
    `There is no wp-config.php in “${printable(root)}”, nor one for it in “${printable(above)}”: name the directory that WordPress is installed in.`,
  );
}

async function findVersion(
  connection: SshConnection,
  realPath: RealPath,
  options: SiteOptions,
): Promise<string | null> {
  const path = await realPath(posix.join(options.path, versionFile));
  if (path === null) return null;
  try {
    const file = await readFile(connection, { ...options, path }, largestVersionFile);
    const { found } = readPhpSettings(Buffer.from(file).toString("latin1"), new Set(["$wp_version"]));
    return /^[\w.+-]{1,40}$/.exec(found.get("$wp_version")?.value ?? "")?.[0] ?? null;
  } catch (error) {
    connection.over.throwIfAborted();
    if (error instanceof PhpSyntaxError || error instanceof SourceError) return null;
    throw error;
  }
}

/** A byte more than `most` at the most, and in no more than twice the time that a request may take. */
async function readFile(connection: SshConnection, options: SiteOptions, most: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  const deadline = performance.now() + 2 * options.stallMs;
  let length = 0;
  for await (const { bytes, content = bytes ? [bytes] : [] } of singleFile(connection, options)) {
    for await (const chunk of content) {
      chunks.push(Buffer.from(chunk));
      length += chunk.length;
      if (length > most) break;
      if (performance.now() > deadline) throw stalled(connection.host);
    }
  }
  return Buffer.concat(chunks).subarray(0, most + 1);
}

/** One file as it is in a tree. Throws PATH_NOT_FOUND. */
export async function* singleFile(connection: SshConnection, options: SiteOptions): AsyncGenerator<Entry> {
  const selection = new Selection({ include: [], exclude: [], maxEntries: 1 });
  yield* (await openRemoteTree(connection, { ...options, selection })).entries(() => undefined);
}

function isWithin(path: string, directory: string): boolean {
  return path.startsWith(directory === "/" ? directory : `${directory}/`);
}
