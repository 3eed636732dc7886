// A small site that is backed up and can be restored, by real processes: what is kept of it is damaged by the test.
import { open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runDueChecks } from "../../../domain/checks.ts";
import { type StagedSite, type StagedSiteOptions, stageSite } from "../../stage/backed-up-site.ts";
import { jobEnd, startJob } from "../../stage/tenant.ts";
import type { Tree } from "../../stage/tree.ts";

export interface KeptSite extends StagedSite {
  /** Backs the site up; the snapshot's id. */
  backUp(): Promise<string>;
  /** Where its files lie. */
  directoryOf(snapshotId: string): Promise<string>;
  /** Asks for a restore; the refusal's code, or the link and the job. */
  restore(snapshotId: string, form?: string): Promise<{ code?: string; message?: string; url: string; jobId: string }>;
  /** Asks for a check and waits for its end. */
  verify(snapshotId: string, depth?: "BYTES" | "CONTENT"): ReturnType<typeof jobEnd>;
  /** Makes it look as if nobody had looked at the snapshot for days, lets the hub find that, and waits for the checks. */
  scrub(snapshotId: string): Promise<void>;
  /** Its facts, as its owner sees them. */
  snapshot(snapshotId: string): Promise<Record<string, unknown>>;
}

const dayMs = 86_400_000;

/** Disposing takes all of it down. */
export async function stageKeptSite(content: Tree, options: StagedSiteOptions = {}): Promise<KeptSite> {
  const site = await stageSite(content, options);
  const { ask } = site.acme;
  const { db } = site.hub;
  const directoryOf = async (id: string) =>
    join(site.worker.storageBase, (await db.snapshot.findUniqueOrThrow({ where: { id } })).localPath ?? "");
  async function startCheck(input: object): Promise<string> {
    const { data } = await ask(
      `mutation ($input: VerifySnapshotInput!) { verifySnapshot(input: $input) {
        ... on VerifySnapshotPayload { job { id } } ... on Failure { code message }
      } }`,
      { input },
    );
    if (!data.verifySnapshot.job) throw new Error(`${data.verifySnapshot.code}: ${data.verifySnapshot.message}`);
    return data.verifySnapshot.job.id;
  }
  return {
    ...site,
    async backUp() {
      const job = await jobEnd(ask, await startJob(ask, "startBackup", site.sourceId));
      if (job.status !== "COMPLETED") throw new Error(`the backup ended ${job.status}: ${job.errorMessage}`);
      return job.snapshot.id;
    },
    directoryOf,
    async restore(snapshotId, form = "ZIP") {
      const { data } = await ask(
        `mutation ($input: StartRestoreInput!) { startRestore(input: $input) {
          ... on StartRestorePayload { downloadUrl restore { job { id } } } ... on Failure { code message }
        } }`,
        { input: { snapshotId, form } },
      );
      const { code, message, downloadUrl, restore } = data.startRestore;
      return { code, message, url: downloadUrl, jobId: restore?.job.id };
    },
    verify: async (snapshotId, depth) => jobEnd(ask, await startCheck({ snapshotId, ...(depth && { depth }) })),
    async scrub(id) {
      await db.snapshot.update({ where: { id }, data: { verifiedAt: new Date(Date.now() - 6 * dayMs) } });
      await runDueChecks(site.hub.running.hub);
      const jobs = await db.job.findMany({ where: { type: "VERIFY", targetSnapshotId: id } });
      for (const job of jobs) await jobEnd(ask, job.id);
    },
    async snapshot(id) {
      const { data } = await ask(
        `query ($id: ID!) { snapshot(id: $id) { status damage verifyDepth viewerCanRestore verifiedAt openedAt damagedAt } }`,
        { id },
      );
      return data.snapshot;
    },
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}

/** Turns one bit of a file around; twice makes it what it was. */
export async function flipBit(path: string, position: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ (1 << (position % 8))]), 0, 1, position);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Ways to damage a file, each undone by what it resolves with. */
export const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
  "cut off": async (path) => truncate(path, (await readFile(path)).length - 1),
  extended: (path) => writeFile(path, "\0", { flag: "a" }),
  emptied: (path) => truncate(path, 0),
  removed: (path) => rm(path),
  flipped: (path) => flipBit(path, 300),
};

/** Does it, and gives back what was there when `during` is over. */
export async function whileDamaged<T>(
  path: string,
  damage: (path: string) => Promise<void>,
  during: () => Promise<T>,
): Promise<T> {
  const whole = await readFile(path);
  await damage(path);
  try {
    return await during();
  } finally {
    await writeFile(path, whole);
  }
}

/** What a restore service knows of a download, beside what it opened for it. */
export const described: readonly string[] = ["restore.json", "restore.json.partial"];

/** Every file below a directory, but for those whose names are given. Directories may go while they are looked into. */
export async function filesBelow(base: string, but: readonly string[] = []): Promise<string[]> {
  const found = await readdir(base, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code === "ENOENT" && error.path !== base) return null;
    throw error;
  });
  if (found === null) return filesBelow(base, but);
  return found
    .filter((each) => each.isFile() && !but.includes(each.name))
    .map((each) => join(each.parentPath, each.name));
}
