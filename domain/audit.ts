// Writes down who did what to which object, in the transaction that did it. Callers hand in no secrets.
import type { Prisma } from "../prisma/client/client.ts";
import type { Actor, WorkerActor } from "./actor.ts";
import { now, type Transaction } from "./hub.ts";
import { newId } from "./ids.ts";

export interface AuditFacts {
  readonly tenantId: string | null;
  /** The verb, spelled as the mutation. */
  readonly verb: string;
  readonly objectId: string | null;
  readonly before?: Prisma.InputJsonValue;
  readonly after?: Prisma.InputJsonValue;
}

export async function audit(tx: Transaction, actor: Actor | WorkerActor, facts: AuditFacts): Promise<void> {
  await tx.auditEvent.create({
    data: {
      id: newId("auditEvent", await now(tx)),
      actorKind: actor.kind,
      actorId: idOf(actor),
      ...facts,
    },
  });
}

function idOf(actor: Actor | WorkerActor): string | null {
  switch (actor.kind) {
    case "user":
      return actor.userId;
    case "apiKey":
      return actor.apiKeyId;
    case "worker":
      return actor.workerId;
    case "system":
      return null;
  }
}
