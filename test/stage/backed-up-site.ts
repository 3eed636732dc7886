// A small site on a real sshd, with a tenant that has it as a tested source: where most tests of whole backups begin.
import { type StagedProcess, stageWorker } from "./data-plane.ts";
import { type StagedHub, stageHub } from "./hub.ts";
import { type StagedOpenSsh, stageOpenSsh } from "./peers/openssh.ts";
import { jobEnd, type StagedTenant, stageTenant, startJob } from "./tenant.ts";
import { type Tree, writeTree } from "./tree.ts";

export interface StagedSite extends AsyncDisposable {
  readonly sshd: StagedOpenSsh;
  readonly hub: StagedHub;
  readonly worker: StagedProcess;
  readonly acme: StagedTenant;
  readonly credentialId: string;
  readonly sourceId: string;
}

export interface StagedSiteOptions {
  readonly storageBase?: string;
  readonly hubTerms?: Parameters<typeof stageHub>[0];
}

/** Disposing takes all of it down. */
export async function stageSite(content: Tree, { storageBase, hubTerms }: StagedSiteOptions = {}): Promise<StagedSite> {
  await using started = new AsyncDisposableStack();
  const sshd = started.use(await stageOpenSsh());
  await writeTree(sshd.data, content, { owner: sshd.owner });
  const hub = started.use(await stageHub(hubTerms));
  const worker = started.use(await stageWorker(hub, storageBase === undefined ? {} : { storageBase }));
  const acme = await stageTenant(hub, "Acme", { renews: hubTerms?.accessTokenMinutes !== undefined });
  const credentialId = await acme.createCredential({ password: sshd.password });
  const { host, port, username, data: path } = sshd;
  const sourceId = await acme.createSftpSource({ host, port, username, path }, credentialId);
  const test = await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId));
  if (test.status !== "COMPLETED") throw new Error(`the source test ended ${test.status}: ${test.errorMessage}`);
  const stack = started.move();
  return { sshd, hub, worker, acme, credentialId, sourceId, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
