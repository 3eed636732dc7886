// F22: a disk that is full, at whatever step and in whatever way, costs that one backup and nothing else.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { type Entry, localStorage, type Storage, seal, verify } from "#artifact/node";
import { failureOf } from "../../worker/failure.ts";
import { roomOf } from "../../worker/room.ts";
import { stageSite } from "../stage/backed-up-site.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { deleteAtOnce, jobEnd, startJob } from "../stage/tenant.ts";
import { seededBytes, tree } from "../stage/tree.ts";

const run = promisify(execFile);
const missingMount = await whyNoMount();

/** A file system of its own, in memory; disposing unmounts it. */
async function stageDisk(options: string) {
  const path = await mkdtemp(join(tmpdir(), "xvault-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await run("umount", ["--lazy", path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function whyNoMount(): Promise<string | false> {
  try {
    await (await stageDisk("size=1m"))[Symbol.asyncDispose]();
    return false;
  } catch {
    return "file systems cannot be mounted here: this takes root";
  }
}

/** Leaves so many bytes free, to the page. */
async function fillUp(directory: string, leaveBytes: number): Promise<void> {
  await rm(join(directory, "filler"), { force: true });
  const { freeBytes } = await roomOf(directory);
  await writeFile(join(directory, "filler"), Buffer.alloc(Math.max(0, freeBytes - leaveBytes)));
}

const page = 4096;
const attempt = { tenantId: "ten_1", sourceId: "src_1", snapshotId: "snp_1", jobId: "job_1", workerId: "wrk_1" };
const directory = "tenants/ten_1/sources/src_1/snapshots/snp_1";

describe("an artifact that does not fit on the disk", { skip: missingMount }, () => {
  /** Seals something of 60 KB that does not compress; the last file that was begun, and what was thrown. */
  async function sealOnto(
    base: string,
    { spoolDirectory, spooled = false }: { spoolDirectory?: string; spooled?: boolean } = {},
  ) {
    const content = seededBytes(60_000, "does not compress");
    async function* entries(): AsyncGenerator<Entry> {
      const file = { path: "a.bin", kind: "file", mode: 0o644, mtimeMs: 0 } as const;
      async function* pieces() {
        yield content;
      }
      yield { ...file, size: spooled ? null : content.length, content: pieces() };
    }
    let begun = "nothing";
    const local = localStorage(base);
    const storage: Storage = {
      ...local,
      begin: async (...args) => {
        const draft = await local.begin(...args);
        return {
          ...draft,
          create: async (name) => {
            begun = name;
            return draft.create(name);
          },
          commit: () => {
            begun = "commit";
            return draft.commit();
          },
        };
      },
    };
    const recipients = [await identityToRecipient(await generateX25519Identity())];
    const signal = AbortSignal.timeout(30_000);
    const error = await seal({
      ...{ entries: entries(), recipients, ids: attempt, storage, attempt: "1", signal, createdAt: new Date(0) },
      ...(spoolDirectory && { spoolDirectory }),
    }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    return { begun, error };
  }

  async function assertNothingLeft(base: string): Promise<void> {
    const left = await readdir(base, { recursive: true, withFileTypes: true });
    assert.deepEqual(
      left.filter((entry) => entry.isFile() && entry.name !== "filler").map(({ name }) => name),
      [],
    );
  }

  it("fails DISK_FULL and leaves nothing, at every page from none to enough", async () => {
    await using disk = await stageDisk("size=512k");
    const failedAt = new Set<string>();
    for (let leaveBytes = 0; ; leaveBytes += page) {
      await rm(join(disk.path, "tenants"), { recursive: true, force: true });
      await fillUp(disk.path, leaveBytes);
      const { begun, error } = await sealOnto(disk.path);
      if (error === null) {
        await verify({ storage: localStorage(disk.path), directory });
        break;
      }
      assert.equal(failureOf(error).code, "DISK_FULL", `${leaveBytes} bytes: ${error}`);
      failedAt.add(begun);
      await assertNothingLeft(disk.path);
      assert.ok(leaveBytes < 512 * 1024);
    }
    for (const each of ["catalogue.zst.enc", "manifest.json", "meta.json"])
      assert.ok(failedAt.has(each), `never full at ${each}: ${[...failedAt]}`);
  });

  it("fails DISK_FULL and leaves nothing where there is room for bytes and none for files", async () => {
    await using disk = await stageDisk("size=8m,nr_inodes=32");
    const base = join(disk.path, "store");
    await mkdir(base);
    assert.equal((await roomOf(base)).freeBytes > 0, true);
    const fillers: string[] = [];
    for (let left = Number.POSITIVE_INFINITY; left > 0; ) {
      const filler = join(disk.path, `filler-${fillers.length}`);
      await writeFile(filler, "").then(
        () => fillers.push(filler),
        () => (left = 0),
      );
    }
    assert.equal((await roomOf(base)).freeBytes, 0, "what holds no more files has no room");
    const failedAt = new Set<string>();
    for (;;) {
      const { begun, error } = await sealOnto(base);
      if (error === null) break;
      assert.equal(failureOf(error).code, "DISK_FULL", String(error));
      failedAt.add(begun);
      await assertNothingLeft(base);
      await rm(fillers.pop() ?? "");
    }
    assert.deepEqual(
      [...failedAt],
      ["nothing", "backup.tar.zst.enc", "catalogue.zst.enc", "manifest.json", "meta.json"],
    );
    await verify({ storage: localStorage(base), directory });
  });

  it("fails DISK_FULL and leaves nothing where only the disk of the spool is full", async () => {
    await using disk = await stageDisk("size=512k");
    await using spool = await stageDisk("size=64k");
    for (const leaveBytes of [0, page, 10 * page, 14 * page]) {
      await fillUp(spool.path, leaveBytes);
      const { error } = await sealOnto(disk.path, { spoolDirectory: spool.path, spooled: true });
      assert.equal(failureOf(error).code, "DISK_FULL", `${leaveBytes} bytes: ${error}`);
      await assertNothingLeft(disk.path);
      assert.deepEqual(await readdir(spool.path), ["filler"]);
    }
    await rm(join(spool.path, "filler"));
    assert.equal((await sealOnto(disk.path, { spoolDirectory: spool.path, spooled: true })).error, null);
  });
});

describe("a worker whose disk is full", { skip: missingMount || (missingOpenSsh ?? false) }, () => {
  const stack = new AsyncDisposableStack();
  let site: Awaited<ReturnType<typeof stageSite>>;
  let store: string;
  before(async () => {
    const disk = stack.use(await stageDisk("size=12m"));
    store = join(disk.path, "store");
    site = stack.use(await stageSite(tree({ "index.html": "hello" }), { storageBase: store }));
    await deleteAtOnce(site.hub);
  });
  after(() => stack.disposeAsync());

  it("fails the backup that is too large, while other jobs go on, and makes the next one that fits", async () => {
    const { acme, sshd } = site;
    await writeFile(join(sshd.data, "big.bin"), seededBytes(24 * 1024 * 1024, "big"));
    const { host, port, username } = sshd;
    const credentialId = await acme.createCredential({ password: sshd.password });
    const small = await acme.createSftpSource({ host, port, username, path: `${sshd.data}/index.html` }, credentialId);
    await jobEnd(acme.ask, await startJob(acme.ask, "testSource", small));
    const beginning = [startJob(acme.ask, "startBackup", site.sourceId), startJob(acme.ask, "testSource", small)];
    const [big, meanwhile] = await Promise.all(beginning.map(async (id) => jobEnd(acme.ask, await id)));
    assert.deepEqual([big.status, big.errorCode], ["FAILED", "DISK_FULL"]);
    assert.equal(meanwhile.status, "COMPLETED", meanwhile.errorMessage);
    const next = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", small));
    assert.equal(next.status, "COMPLETED", next.errorMessage);
    const left = await readdir(store, { recursive: true });
    assert.deepEqual(
      left.filter((path) => path.includes(".staging")),
      [],
    );
    await rm(join(sshd.data, "big.bin"));
  });

  it("begins no backup below its reserve, still deletes, and goes on when there is room", async () => {
    const { acme, hub, sourceId } = site;
    const first = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId));
    assert.equal(first.status, "COMPLETED", first.errorMessage);
    const filler = join(store, "../filler");
    await writeFile(filler, Buffer.alloc((await roomOf(store)).freeBytes - 3 * 1024 * 1024));
    const waiting = await startJob(acme.ask, "startBackup", sourceId);
    const deletion = await startJob(acme.ask, "deleteSnapshot", first.snapshot.id);
    assert.equal((await jobEnd(acme.ask, deletion)).status, "COMPLETED");
    const row = await hub.db.job.findUniqueOrThrow({ where: { id: waiting } });
    assert.deepEqual([row.status, row.attempt], ["QUEUED", 0]);
    await rm(filler);
    assert.equal((await jobEnd(acme.ask, waiting)).status, "COMPLETED");
  });
});
