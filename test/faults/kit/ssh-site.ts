// A hub, a tenant and SSH sources on a real sshd, without a worker: where the tests of how jobs end begin.
import { readdirSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { type StagedHub, type StagedTerms, stageHub } from "../../stage/hub.ts";
import { type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { type StagedTenant, stageTenant } from "../../stage/tenant.ts";
import { seededBytes, smallFiles, type Tree, tree, writeTree } from "../../stage/tree.ts";

export interface SshSite extends AsyncDisposable {
  readonly sshd: StagedOpenSsh;
  readonly hub: StagedHub;
  readonly acme: StagedTenant;
  /** A source of all that the server has, ready to be backed up; `hooks` as in its settings. */
  addSource(hooks?: object): Promise<string>;
}

const content: Tree = new Map([...smallFiles(40), ...tree({ "big.bin": seededBytes(6 * 1024 * 1024, "big") })]);

export async function stageSshSite(terms: StagedTerms = {}): Promise<SshSite> {
  await using started = new AsyncDisposableStack();
  const sshd = started.use(await stageOpenSsh());
  await writeTree(sshd.data, content, { owner: sshd.owner });
  const hub = started.use(await stageHub(terms));
  const acme = await stageTenant(hub);
  const credentialId = await acme.createCredential({ password: sshd.password });
  const { host, port, username, data: path, hostKey } = sshd;
  const stack = started.move();
  return {
    ...{ sshd, hub, acme },
    async addSource(hooks) {
      const config = { host, port, username, path, ...(hooks && { hooks }) };
      const id = await acme.createSource("SSH", config, credentialId);
      // As a test of the source would.
      await hub.db.source.update({ where: { id }, data: { hostKey } });
      return id;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** What runs on the server for its user: command lines, those of its sshd among them. */
export function processesOf({ owner }: Pick<StagedOpenSsh, "owner">): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid)) return [];
      const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
      if (Number(uid) !== owner.uid) return [];
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim() || [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** Snapshots in a store, and what attempts left behind in it. */
export async function lookInto(storageBase: string): Promise<{ snapshots: string[]; leftovers: string[] }> {
  const paths = await readdir(storageBase, { recursive: true });
  return {
    snapshots: paths.flatMap((path) => /snapshots\/(snp_[0-9a-f]{32})$/.exec(path)?.[1] ?? []),
    leftovers: paths.filter((path) => path.includes(".staging")),
  };
}

export async function cancelJob({ acme }: Pick<SshSite, "acme">, jobId: string): Promise<string> {
  const { data } = await acme.ask(
    `mutation ($id: ID!) { cancelJob(input: { jobId: $id }) {
      __typename ... on CancelJobPayload { job { status } } ... on Failure { code }
    } }`,
    { id: jobId },
  );
  return data.cancelJob.code ?? data.cancelJob.job.status;
}

/** Asks again until it is so, or throws `what` after so long. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(20);
  }
}
