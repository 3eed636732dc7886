// What preparing a download takes, without the service around it: a store, a place for downloads, and the stand-in of a hub.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { connectHub } from "../../clients/hub/hub-client.ts";
import { ProcessIdentity } from "../../clients/hub/identity.ts";
import type { JobProgress } from "../../clients/hub/progress-channel.ts";
import { failureOf } from "../../restore/failure.ts";
import { prepareDownload, type Workshop } from "../../restore/prepare.ts";
import { PreparedDownloads } from "../../restore/prepared.ts";
import { Stores } from "../../restore/stores.ts";
import { restoreJob, type Snapshot, sealedFor, type Wish } from "./sealed-store.ts";
import { type StandInHub, startStandInHub } from "./stand-in-hub.ts";

const run = promisify(execFile);

export interface StagedWorkshop {
  readonly hub: StandInHub;
  readonly workshop: Workshop;
  readonly store: string;
  /** Where downloads are prepared. */
  readonly restores: string;
  readonly progress: JobProgress[];
  readonly downloads: PreparedDownloads;
  /** The code and sentence of the refusal, or null; `identity` is handed out in place of the snapshot's own key. */
  restore(snapshot: Snapshot, wish?: Wish & { identity?: string }): Promise<string | null>;
  /** Unpacks the newest download with what a customer has. */
  unpacked(): Promise<string>;
}

export async function stageWorkshop(t: TestContext): Promise<StagedWorkshop> {
  const scratch = await mkdtemp(join(tmpdir(), "xvault-prepare-"));
  const hub = await startStandInHub();
  t.after(async () => {
    await hub[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });
  const store = join(scratch, "store");
  const stores = new Stores([store]);
  const downloads = await PreparedDownloads.open(join(scratch, "temp"));
  const identity = await ProcessIdentity.generate();
  const progress: JobProgress[] = [];
  const channel = {
    publish: (_: string, news: JobProgress) => void progress.push(news),
    [Symbol.asyncDispose]: async () => {},
  };
  const workshop = {
    hub: connectHub({ baseUrl: hub.url, token: "t" }),
    identity,
    stores,
    downloads,
    progress: channel,
  };
  return {
    hub,
    workshop,
    store,
    restores: join(scratch, "temp", "restores"),
    progress,
    downloads,
    async restore(snapshot, { identity: key = snapshot.identity, ...wish } = {}) {
      hub.answers.claimSecrets = () => sealedFor(identity.publicKey, key);
      await stores.look();
      try {
        await prepareDownload(workshop, restoreJob(snapshot, wish).job, AbortSignal.timeout(60_000));
        return null;
      } catch (error) {
        const { code, message } = failureOf(error);
        return `${code}: ${message}`;
      }
    },
    async unpacked() {
      const prepared = downloads.all().at(-1);
      assert.ok(prepared);
      const target = await mkdtemp(join(scratch, "unpacked-"));
      const archive = join(scratch, prepared.record.fileName);
      await copyFile(prepared.path, archive);
      if (archive.endsWith(".tar")) await run("tar", ["-xf", archive, "-C", target]);
      else await run("python3", ["-c", unzip, archive, target]);
      return target;
    },
  };
}

/** Python's zipfile, and then the links and modes that its `extractall` leaves out. */
const unzip = `
import os, stat, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
  assert z.testzip() is None
  for i in z.infolist():
    mode, path = i.external_attr >> 16, os.path.join(sys.argv[2], i.filename)
    if stat.S_ISLNK(mode):
      os.makedirs(os.path.dirname(path), exist_ok=True)
      os.symlink(z.read(i).decode(), path)
    else:
      z.extract(i, sys.argv[2])
      os.chmod(path, mode & 0o7777)
`;
