// Tests of sources and of what could become one: jobs that connect, look, and change nothing there.
import * as z from "zod";
import { type Job, type Prisma, SourceType } from "../prisma/client/client.ts";
import { type Actor, authorize } from "./actor.ts";
import { audit } from "./audit.ts";
import { RateLimitedError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { parseInput } from "./input.ts";
import { createJob } from "./queue.ts";
import { sourceConfig } from "./rules/source-config.ts";
import { ownCredential, refuseHosts, requireSource, stored } from "./sources.ts";
import { refuseSuspended } from "./tenants.ts";

/** Starts a test: a job that connects, reports what it finds, and pins the host key where none is pinned yet. */
export async function testSource(hub: Hub, actor: Actor, { sourceId }: { sourceId: string }): Promise<Job> {
  const source = await requireSource(hub, actor, sourceId);
  authorize(actor, source.tenantId, "testSource");
  return transact(hub, async (tx, announce) => {
    await refuseSuspended(tx, source.tenantId);
    await refuseScanning(hub, tx, source.tenantId);
    const job = await createJob(tx, announce, {
      tenantId: source.tenantId,
      type: "TEST_SOURCE",
      sourceId: source.id,
      priority: 10,
      maxAttempts: 1,
    });
    await audit(tx, actor, { tenantId: source.tenantId, verb: "testSource", objectId: source.id });
    return job;
  });
}

export interface TestSourceDraftInput {
  readonly tenantId: string;
  readonly type: SourceType;
  readonly config?: unknown;
  readonly credentialId?: string | null | undefined;
}

/** Tests settings before a source is made of them. Nothing is pinned: the host keys found are for `createSource`, if they are accepted. */
export async function testSourceDraft(hub: Hub, actor: Actor, input: TestSourceDraftInput): Promise<Job> {
  const { tenantId, type } = input;
  authorize(actor, tenantId, "testSourceDraft");
  const { config } = parseInput(z.object({ config: sourceConfig[type] }), input);
  refuseHosts(hub, type, config);
  return transact(hub, async (tx, announce) => {
    await refuseSuspended(tx, tenantId);
    await refuseScanning(hub, tx, tenantId);
    const credentialId = await ownCredential(tx, tenantId, input.credentialId);
    const job = await createJob(tx, announce, {
      tenantId,
      type: "TEST_SOURCE",
      sourceDraft: { type, config: stored(config), credentialId },
      priority: 10,
      maxAttempts: 1,
    });
    await audit(tx, actor, {
      tenantId,
      verb: "testSourceDraft",
      objectId: job.id,
      after: { type, config: stored(config), credentialId },
    });
    return job;
  });
}

const draft = z.object({
  type: z.enum(SourceType),
  config: z.unknown(),
  credentialId: z.string().nullable(),
});

/** What a test without a saved source is about. */
export function parseDraft(stored: Prisma.JsonValue): z.infer<typeof draft> {
  return draft.parse(stored);
}

export async function refuseScanning(hub: Hub, tx: Transaction, tenantId: string): Promise<void> {
  const since = new Date((await now(tx)).getTime() - 60_000);
  const started = await tx.job.count({ where: { tenantId, type: "TEST_SOURCE", createdAt: { gt: since } } });
  if (started >= hub.terms.sourceTestsPerMinute) throw new RateLimitedError("source tests");
}
