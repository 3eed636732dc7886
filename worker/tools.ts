// Asks the programs that backups may run here for their versions, once, when the worker starts.
import { findTool } from "./sources/dump/find-tool.ts";
import { nearPlace } from "./sources/dump/near-place.ts";

/** By the name that the hub has for what they do; the first of several that answers counts. */
const programs = {
  pg_dump: ["pg_dump"],
  psql: ["psql"],
  mysqldump: ["mariadb-dump", "mysqldump"],
  mysql: ["mariadb", "mysql"],
} as const;

const answerMs = 10_000;
/** What `seal` compresses with unless it is told otherwise. */
const zstdLevel = 3;

/** Null: it is not there, or did not answer in time. What has no program of its own is a fact about this process. */
export type Tools = Readonly<Record<string, string | number | boolean | null>>;

export interface ToolsOptions {
  readonly tempBase: string;
  readonly nativeCrypto: boolean;
  readonly signal: AbortSignal;
  /** Folders to look in, with colons between them. @default the system's usual ones */
  readonly toolPath?: string;
}

/** Takes ten seconds at most. Throws the reason of the signal and nothing else. */
export async function findTools({ tempBase, nativeCrypto, signal, toolPath }: ToolsOptions): Promise<Tools> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
  const place = nearPlace({ tempBase, signal: deadline, toolPath });
  const found = await Promise.all(
    Object.entries(programs).map(async ([name, candidates]) => {
      const tool = await findTool(place, candidates).catch(() => null);
      return [name, tool && (tool.program === name ? tool.version : `${tool.program} ${tool.version}`)] as const;
    }),
  );
  signal.throwIfAborted();
  const { zstd = null } = process.versions;
  return { node: process.version, zstd, zstdLevel, nativeCrypto, ...Object.fromEntries(found) };
}
