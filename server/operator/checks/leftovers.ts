// I4 and I5: what lies in stores and temporary directories belongs to a row or to a lease that lives.
import { join } from "node:path";
import { isAnswered, isWorkerPlace, livenessOf } from "../../../clients/hub/temp-places.ts";
import type { Finding, Grounds } from "./check.ts";
import { ageOf, namesIn, type Stored, storedIn } from "./store-walk.ts";

/** What a worker or a restore service keeps in its temporary directory as long as it likes. */
const kept = new Set([".xvault-account.json", "restores"]);

export async function* storesAreClean(grounds: Grounds): AsyncGenerator<Finding> {
  for (const store of grounds.stores)
    for await (const stored of storedIn(store)) {
      grounds.signal?.throwIfAborted();
      if (stored.ageSeconds < grounds.graceSeconds) continue;
      const finding = await judge(grounds, stored);
      if (finding) yield finding;
    }
}

async function judge({ db }: Grounds, { kind, snapshotId, leaseEpoch, path }: Stored): Promise<Finding | null> {
  if (kind === "foreign") return { invariant: "I4", about: path, sentence: "Nothing of ours has such a name." };
  const [lives] = await db.$queryRaw<unknown[]>`
    SELECT id FROM jobs WHERE status IN ('RUNNING', 'FINALIZING') AND lease_expires_at > now()
      AND ((attempt_snapshot_id = ${snapshotId} AND COALESCE(${leaseEpoch}::int, lease_epoch) = lease_epoch)
        OR (target_snapshot_id = ${snapshotId} AND type = 'DELETE_SNAPSHOT' AND ${kind !== "staging"})) LIMIT 1`;
  if (lives) return null;
  if (kind !== "committed")
    return { invariant: "I4", about: path, sentence: "It is unfinished, and no job that lives is at it." };
  const row = await db.snapshot.findUnique({ where: { id: snapshotId }, select: { status: true } });
  if (!row) return { invariant: "I5", about: path, sentence: "There is no snapshot of this name." };
  if (row.status === "DELETED") return { invariant: "I5", about: path, sentence: "Its snapshot is deleted." };
  return null;
}

export async function* tempsAreClean(grounds: Grounds): AsyncGenerator<Finding> {
  for (const temp of grounds.temps) {
    for (const name of await namesIn(temp)) {
      if (kept.has(name)) continue;
      if (isWorkerPlace(name)) {
        yield* judgePlace(grounds, join(temp, name));
        continue;
      }
      const path = join(temp, name);
      const age = await ageOf(path);
      if (age !== null && age >= grounds.graceSeconds)
        yield { invariant: "I4", about: path, sentence: "It was left in a temporary directory." };
    }
    for (const restoreId of await namesIn(join(temp, "restores")))
      yield* judgeDownload(grounds, restoreId, join(temp, "restores", restoreId));
  }
}

/** A worker may be at work in the directories of its processes; an empty one of a process that was killed is nothing. */
async function* judgePlace({ graceSeconds }: Grounds, place: string): AsyncGenerator<Finding> {
  for (const name of await namesIn(place)) {
    if (name.endsWith(".alive")) continue;
    const owner = (await isAnswered(livenessOf(join(place, name))))
      ? "a worker that lives"
      : "a worker that was killed";
    for (const left of await namesIn(join(place, name))) {
      const path = join(place, name, left);
      const age = await ageOf(path);
      if (age !== null && age >= graceSeconds)
        yield { invariant: "I4", about: path, sentence: `It was left in the temporary directory of ${owner}.` };
    }
  }
}

/** The plaintext of a download may lie there while its job works at it, and while its link is good. */
async function* judgeDownload({ db, graceSeconds }: Grounds, id: string, directory: string): AsyncGenerator<Finding> {
  const files = (await namesIn(directory)).filter((name) => name.startsWith("download"));
  const age = await ageOf(directory);
  if (files.length === 0 || age === null || age < graceSeconds) return;
  const restore = await db.restore.findUnique({ where: { id }, select: { status: true, job: true } });
  const sentence = (end: string) =>
    ({ invariant: "I4", about: directory, sentence: `It holds plaintext ${end}` }) as const;
  if (!restore) yield sentence("of no restore.");
  else if (files.includes("download.partial") && !["RUNNING", "FINALIZING"].includes(restore.job.status))
    yield sentence("that no job is writing any more.");
  else if (!["READY", "PREPARING"].includes(restore.status)) yield sentence(`of a restore that is ${restore.status}.`);
}
