// What hubs say to each other on Redis about whole tenants and about the workers. All of it may be lost; Postgres has the truth.
import { z } from "zod";

/** Messages beyond this many characters are dropped unread. */
const maxMessageLength = 128;

const changeMessageSchema = z.object({ v: z.literal(1), changed: z.enum(["jobs", "snapshots", "workers"]) });
export type ChangedNoun = z.infer<typeof changeMessageSchema>["changed"];

const tenantPrefix = "xvault:tenant:";
export const workersChannel = "xvault:workers";

export function tenantChannel(tenantId: string): string {
  return tenantPrefix + tenantId;
}

/** The reverse of `tenantChannel`; empty for the channel of the workers. */
export function tenantOfChannel(channel: string): string {
  return channel.startsWith(tenantPrefix) ? channel.slice(tenantPrefix.length) : "";
}

/** Null for junk, for what is too long, and for versions not spoken here. */
export function parseChangeMessage(text: string): ChangedNoun | null {
  if (text.length > maxMessageLength) return null;
  try {
    return changeMessageSchema.safeParse(JSON.parse(text)).data?.changed ?? null;
  } catch {
    return null;
  }
}

export function formatChangeMessage(changed: ChangedNoun): string {
  return JSON.stringify({ v: 1, changed });
}
