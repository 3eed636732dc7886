// A small site, a worker and a restore service that know one hub of its own process or several behind an address.
import type { StagedProcess } from "../../stage/data-plane.ts";
import { stageRestore, stageWorker } from "../../stage/data-plane.ts";
import { type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { jobEnd, type StagedTenant, stageTenant, startJob } from "../../stage/tenant.ts";
import { type Tree, writeTree } from "../../stage/tree.ts";
import type { StagedEarth } from "./hub-process.ts";

export interface FaultySite extends AsyncDisposable {
  readonly sshd: StagedOpenSsh;
  readonly worker: StagedProcess;
  readonly restore: StagedProcess;
  readonly acme: StagedTenant;
  readonly sourceId: string;
}

export interface FaultySiteOptions {
  readonly workerEnv?: Readonly<Record<string, string>>;
}

/** Its source is tested. Disposing takes all of it down; the hub stays. */
export async function stageFaultySite(
  hub: StagedEarth & { readonly graphqlUrl: string; readonly privateUrl: string },
  content: Tree,
  { workerEnv }: FaultySiteOptions = {},
): Promise<FaultySite> {
  await using stack = new AsyncDisposableStack();
  const sshd = stack.use(await stageOpenSsh());
  await writeTree(sshd.data, content, { owner: sshd.owner });
  const worker = stack.use(await stageWorker(hub, workerEnv ? { env: workerEnv } : {}));
  const restore = stack.use(await stageRestore(hub, { storageBase: worker.storageBase }));
  const acme = await stageTenant(hub);
  const credentialId = await acme.createCredential({ password: sshd.password });
  const { host, port, username, data: path } = sshd;
  const sourceId = await acme.createSftpSource({ host, port, username, path }, credentialId);
  const test = await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId));
  if (test.status !== "COMPLETED") throw new Error(`the source test ended ${test.status}: ${test.errorMessage}`);
  const running = stack.move();
  return { sshd, worker, restore, acme, sourceId, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
