// Customers who fetch what they asked to have restored, from a service that is killed meanwhile, and look into what they got.
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import type { Database } from "../../../prisma/connect.ts";
import type { DescribedTree } from "../../../server/operator/checks/check.ts";
import { describeDirectory } from "../../../server/operator/checks/stock-tools.ts";

export interface Link {
  readonly url: string;
  readonly restoreId: string;
  readonly snapshotId: string;
}

export interface Downloads {
  /** Fetches a TAR to its end, as often as that takes, as soon as it is ready. */
  fetch(link: Link): void;
  /** What was fetched, once all of it came, or its links were over, or `withinMs` have passed. */
  fetched(withinMs: number): Promise<{ snapshotId: string; tree: DescribedTree }[]>;
  /** How many came, and how the others ended. */
  readonly outcomes: ReadonlyMap<string, number>;
}

const requestMs = 20_000;

export function fetchDownloads(db: Database): Downloads {
  const ending = new AbortController();
  const trees: { snapshotId: string; tree: DescribedTree }[] = [];
  const outcomes = new Map<string, number>();
  const fetching: Promise<void>[] = [];

  async function one({ url, restoreId, snapshotId }: Link): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), "xvault-fetched-"));
    const file = join(directory, "download.tar");
    const state = await prepared(restoreId);
    const outcome = state === "READY" ? await fetchWhole(url, file, ending.signal) : state.toLowerCase();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (outcome === "whole") trees.push({ snapshotId, tree: await unpack(file, join(directory, "tree")) });
    await rm(directory, { recursive: true, force: true });
  }

  async function prepared(restoreId: string): Promise<string> {
    while (!ending.signal.aborted) {
      // The database may be away.
      const restore = await db.restore.findUnique({ where: { id: restoreId } }).catch(() => null);
      if (restore && restore.status !== "PREPARING") return restore.status;
      await pause(300);
    }
    return "never ready";
  }

  return {
    outcomes,
    fetch(link) {
      fetching.push(one(link));
    },
    async fetched(withinMs) {
      const late = setTimeout(() => ending.abort(), withinMs);
      await Promise.all(fetching);
      clearTimeout(late);
      return trees;
    },
  };
}

/** What tar cannot open is a tree that no source ever held. */
async function unpack(file: string, target: string): Promise<DescribedTree> {
  await mkdir(target);
  try {
    await promisify(execFile)("tar", ["-xf", file, "-C", target]);
  } catch (error) {
    return new Map([["the download", `broken: ${String(error)}`]]);
  }
  return describeDirectory(target);
}

/** `whole`, or why it never will be. */
async function fetchWhole(url: string, file: string, signal: AbortSignal): Promise<string> {
  let tag: string | null = null;
  while (!signal.aborted) {
    const have = await stat(file).then(
      ({ size }) => size,
      () => 0,
    );
    try {
      const goesOn: boolean = tag !== null && have > 0;
      const response: Response = await fetch(url, {
        headers: goesOn ? { range: `bytes=${have}-`, "if-range": tag ?? "" } : {},
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]),
      });
      // All of it came, and then it was cut.
      if (response.status === 416 && response.headers.get("content-range") === `bytes */${have}`) return "whole";
      if (response.status === 410) return `answered ${response.status}`;
      if (response.ok && response.body) {
        tag = response.headers.get("etag");
        const flags = response.status === 206 ? "a" : "w";
        await pipeline(response.body, createWriteStream(file, { flags }));
        return "whole";
      }
    } catch {
      // Cut off, or nobody there.
    }
    await pause(300);
  }
  return "never came";
}
