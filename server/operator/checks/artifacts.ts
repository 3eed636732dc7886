// I1: what the database calls a completed snapshot is there, is the artifact that was sealed, and opens.
import {
  ArtifactError,
  localStorage,
  openArtifact,
  printablePath,
  StorageError,
  snapshotDirectory,
  verify,
} from "#artifact/node";
import type { Snapshot } from "../../../prisma/client/client.ts";
import type { DescribedTree, Finding, Grounds } from "./check.ts";
import { unpackWithStockTools } from "./stock-tools.ts";

const pageSize = 100;

export async function* artifactsAreWhole(grounds: Grounds): AsyncGenerator<Finding> {
  for await (const snapshot of completedSnapshots(grounds)) {
    const sentence = await whatIsWrong(grounds, snapshot);
    if (sentence !== null) yield { invariant: "I1", about: snapshot.id, sentence };
  }
}

async function* completedSnapshots({ db, stores, signal }: Grounds): AsyncGenerator<Snapshot> {
  const workerId = { in: stores.map((store) => store.workerId) };
  for (let after = ""; ; ) {
    signal?.throwIfAborted();
    const where = { status: "COMPLETED" as const, storage: "LOCAL_FS" as const, workerId, id: { gt: after } };
    const page = await db.snapshot.findMany({ where, orderBy: { id: "asc" }, take: pageSize });
    yield* page;
    after = page.at(-1)?.id ?? "";
    if (page.length < pageSize) return;
  }
}

async function whatIsWrong(grounds: Grounds, snapshot: Snapshot): Promise<string | null> {
  const { stores, identityOf, signal } = grounds;
  const { tenantId, sourceId, id: snapshotId, manifestSha256, keyFingerprint } = snapshot;
  const base = stores.find(({ workerId }) => workerId === snapshot.workerId)?.base;
  if (base === undefined) return null;
  const directory = snapshotDirectory({ tenantId, sourceId, snapshotId });
  if (snapshot.localPath !== directory)
    return `Its row says that it lies in ${snapshot.localPath}, not in ${directory}.`;
  const place = { storage: localStorage(base), directory, manifestSha256, ...(signal && { signal }) };
  const identity = (await identityOf?.(tenantId, keyFingerprint)) ?? null;
  try {
    const { manifest } = await verify({ ...place, ...(identity !== null && { identities: [identity] }) });
    if (manifest.artifact.sha256 !== snapshot.artifactSha256) return "Its row has another hash than its artifact.";
    if (identity === null) return null;
    const tree = await treeOf({ ...place, identities: [identity] });
    if (grounds.withStockTools) {
      const unpacked = await unpackWithStockTools(`${base}/${directory}`, identity);
      const other = firstDifference(tree, unpacked);
      if (other !== null) return `Unpacked by age, zstd and tar it is another tree: ${other}.`;
    }
    return grounds.oracle?.(snapshot, tree) ?? null;
  } catch (error) {
    if (error instanceof StorageError && error.code === "NOT_STORED") return "Its artifact is not there.";
    if (error instanceof ArtifactError || error instanceof StorageError) return error.message;
    throw error;
  }
}

async function treeOf(options: Parameters<typeof openArtifact>[0]): Promise<DescribedTree> {
  await using artifact = await openArtifact(options);
  const tree = new Map<string, string>();
  for await (const { path, kind, size, sha256, linkTarget } of artifact.catalogue()) {
    const name = printablePath(path).replace(/\/$/, "");
    if (kind === "file") tree.set(name, `file of ${size} bytes, sha256 ${sha256}`);
    else if (kind === "hardlink") tree.set(name, tree.get(printablePath(linkTarget ?? "")) ?? "link to nothing");
    else tree.set(name, kind === "symlink" ? `link to ${printablePath(linkTarget ?? "")}` : "directory");
  }
  return tree;
}

/** Where two trees differ first, in words; null: nowhere. A directory that is only implied by what lies in it makes no difference. */
export function firstDifference(expected: DescribedTree, found: DescribedTree): string | null {
  for (const [path, what] of expected)
    if (found.get(path) !== what) return `${path} is ${found.get(path) ?? "missing"}, not ${what}`;
  for (const [path, what] of found)
    if (!expected.has(path) && what !== "directory") return `${path} is ${what}, and should not be there`;
  return null;
}
