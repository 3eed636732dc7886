// Anything by its id. Unknown, malformed and somebody else's are one answer: null.
import { brandWithType } from "@pothos/core";
import type { Actor } from "../../domain/actor.ts";
import { findApiKey } from "../../domain/api-keys.ts";
import { findCredential } from "../../domain/credentials.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { findWorker } from "../../domain/fleet.ts";
import type { Hub } from "../../domain/hub.ts";
import { nounOf } from "../../domain/ids.ts";
import { findInvitation } from "../../domain/invitations.ts";
import { findJob } from "../../domain/jobs.ts";
import { findRestore } from "../../domain/restores.ts";
import { findSchedule } from "../../domain/schedules.ts";
import { findSnapshot } from "../../domain/snapshots.ts";
import { findSource } from "../../domain/sources.ts";
import { findTenant } from "../../domain/tenants.ts";
import { builder } from "./builder.ts";

/** The interface of everything with an id; the relay plugin makes it, this surface answers for it. */
export const Node = builder.nodeInterfaceRef();

type Find = (hub: Hub, actor: Actor, id: string) => Promise<object | null>;

const finders: Partial<Record<string, readonly [typename: string, find: Find]>> = {
  tenant: ["Tenant", findTenant],
  apiKey: ["ApiKey", findApiKey],
  invitation: ["Invitation", findInvitation],
  credential: ["Credential", findCredential],
  source: ["Source", findSource],
  schedule: ["Schedule", findSchedule],
  job: ["Job", findJob],
  snapshot: ["Snapshot", findSnapshot],
  restore: ["Restore", findRestore],
  worker: ["Worker", findWorker],
};

async function findNode(hub: Hub, actor: Actor, id: string): Promise<object | null> {
  const noun = nounOf(id);
  const finder = noun && finders[noun];
  if (!finder) return null;
  const [typename, find] = finder;
  const row = await find(hub, actor, id);
  if (row) brandWithType(row, typename as never);
  return row;
}

builder.queryFields((t) => ({
  node: t.field({
    type: Node,
    nullable: true,
    description: "Anything by its id; null for what is unknown or not yours.",
    args: { id: t.arg.id({ required: true, description: "The id." }) },
    resolve: (_, { id }, { hub, actor }) => findNode(hub, actor(), id) as never,
  }),
  nodes: t.field({
    type: [Node],
    nullable: { list: false, items: true },
    description: "Several things by their ids, in the same order, at most 100; null for what is unknown or not yours.",
    args: { ids: t.arg.idList({ required: true, description: "The ids." }) },
    complexity: ({ ids }) => ({ field: 1, multiplier: ids.length }),
    resolve: (_, { ids }, { hub, actor }) => {
      const asking = actor();
      if (ids.length > 100) throw new InvalidInputError([{ path: "ids", message: "Ask for at most 100 at once." }]);
      return Promise.all(ids.map((id) => findNode(hub, asking, id))) as never;
    },
  }),
}));
