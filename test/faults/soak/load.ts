// Customers who back up, restore, delete, cancel and change their schedules, whatever happens, and remember what they were told.
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../edge/fuzz/random.ts";
import { type Answer, client, signIn } from "../../stage/client.ts";
import { jobEnd, stageTenant, startJob } from "../../stage/tenant.ts";
import type { Downloads } from "./downloads.ts";
import type { SoakStack } from "./stack.ts";
import type { Witnesses } from "./witnesses.ts";

export interface SoakLoad {
  /** What was asked for, and how often it was answered as asked, refused, or not at all. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The longest time without any answer of the API, until it was stopped [ms]. */
  readonly longestSilenceMs: () => number;
  stop(): Promise<void>;
}

const act = (mutation: string, field: string, type: string, selection = "__typename") =>
  `mutation ($id: ID!) { ${mutation}(input: { ${field}: $id }) { ... on ${type} { ${selection} } ... on Failure { code } } }`;

const acts = {
  backup: act("startBackup", "sourceId", "StartBackupPayload", "job { id }"),
  test: act("testSource", "sourceId", "TestSourcePayload", "job { id }"),
  delete: act("deleteSnapshot", "snapshotId", "DeleteSnapshotPayload"),
  cancel: act("cancelJob", "jobId", "CancelJobPayload"),
  pause: act("pauseSchedule", "scheduleId", "PauseSchedulePayload"),
  resume: act("resumeSchedule", "scheduleId", "ResumeSchedulePayload"),
} as const;

/** Answers that take longer are told. */
const slowMs = 5_000;

/** A tenant with a tested source for each directory, and a schedule for each source. */
export async function stageCustomers(stack: SoakStack, directories: readonly string[]) {
  const { graphqlUrl, earth, sshd } = stack;
  const tenant = await stageTenant({ graphqlUrl, owner: earth.owner });
  const credentialId = await tenant.createCredential({ password: sshd.password });
  const sourceIds: string[] = [];
  for (const path of directories) {
    const { host, port, username } = sshd;
    const sourceId = await tenant.createSftpSource({ host, port, username, path }, credentialId);
    await jobEnd(tenant.ask, await startJob(tenant.ask, "testSource", sourceId));
    await tenant.ask(`mutation ($input: CreateScheduleInput!) { createSchedule(input: $input) { __typename } }`, {
      input: { sourceId, intervalMinutes: 1 },
    });
    sourceIds.push(sourceId);
  }
  return { tenant, sourceIds };
}

export async function applyLoad(
  stack: SoakStack,
  {
    sourceIds,
    random,
    witnesses,
    downloads,
    say,
  }: {
    sourceIds: readonly string[];
    random: Random;
    witnesses: Witnesses;
    downloads: Downloads;
    say: (line: string) => void;
  },
): Promise<SoakLoad> {
  const { graphqlUrl, earth } = stack;
  const ask = client(graphqlUrl, await signIn(graphqlUrl, earth.owner));
  const outcomes = new Map<string, number>();
  const ending = new AbortController();
  const { signal } = ending;
  let answeredAt = performance.now();
  let longestSilenceMs = 0;

  const count = (what: string) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  async function send(name: string, document: string, variables: Record<string, unknown>): Promise<Answer["data"]> {
    const askedAt = performance.now();
    const answer = await ask(document, variables).catch((): Answer | null => null);
    const tookMs = performance.now() - askedAt;
    if (tookMs > slowMs) say(`${name} took ${(tookMs / 1000).toFixed(1)} s`);
    const found = answer?.data?.[Object.keys(answer.data ?? {})[0] ?? ""];
    const refusal = found?.code ?? answer?.errors?.[0]?.extensions?.code ?? "no answer";
    // A refusal is an answer: it was looked up.
    if (found) {
      longestSilenceMs = Math.max(longestSilenceMs, performance.now() - answeredAt);
      answeredAt = performance.now();
    }
    count(`${name}: ${found && !found.code ? "done" : refusal}`);
    const job = found?.job ?? found?.restore?.job;
    if (job) witnesses.watch(job.id);
    return found;
  }

  async function step(): Promise<void> {
    const id = random.pick(sourceIds);
    const what = random.below(20);
    if (what < 8) return void (await send("backup", acts.backup, { id }));
    if (what < 9) return void (await send("test", acts.test, { id }));
    if (what < 13) return restoreOne();
    if (what < 15) return deleteOne(id);
    if (what < 17) return cancelOne();
    const schedule = await earth.db.schedule.findFirst({ where: { sourceId: id } });
    if (schedule) await send("schedule", schedule.status === "ENABLED" ? acts.pause : acts.resume, { id: schedule.id });
  }

  async function restoreOne(): Promise<void> {
    const good = await earth.db.snapshot.findMany({ where: { status: "COMPLETED", deletionDueAt: null }, take: 50 });
    if (good.length === 0) return;
    const input = { snapshotId: random.pick(good).id, form: random.pick(["ZIP", "TAR", "SEALED"]) };
    const document = `mutation ($input: StartRestoreInput!) { startRestore(input: $input) {
      ... on StartRestorePayload { downloadUrl restore { id job { id } } } ... on Failure { code } } }`;
    const made = await send("restore", document, { input });
    if (input.form === "TAR" && made?.downloadUrl)
      downloads.fetch({ url: made.downloadUrl, restoreId: made.restore.id, snapshotId: input.snapshotId });
  }

  /** Never one of the last three: what a customer deletes is nobody's fault. */
  async function deleteOne(sourceId: string): Promise<void> {
    const good = await earth.db.snapshot.findMany({ where: { sourceId, status: "COMPLETED", deletionDueAt: null } });
    if (good.length > 3) await send("delete", acts.delete, { id: random.pick(good).id });
  }

  async function cancelOne(): Promise<void> {
    const jobs = await earth.db.job.findMany({
      where: { status: { in: ["QUEUED", "RUNNING", "FINALIZING"] } },
      take: 20,
    });
    if (jobs.length > 0) await send("cancel", acts.cancel, { id: random.pick(jobs).id });
  }

  const running = (async () => {
    while (!signal.aborted) {
      // The customer's own look at the database fails with it.
      await step().catch(() => count("look: no answer"));
      await pause(200 + random.below(600), undefined, { signal }).catch(() => undefined);
    }
  })();
  return {
    outcomes,
    longestSilenceMs: () => longestSilenceMs,
    async stop() {
      longestSilenceMs = Math.max(longestSilenceMs, performance.now() - answeredAt);
      ending.abort();
      await running;
    },
  };
}
