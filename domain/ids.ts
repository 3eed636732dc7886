// Makes the ids of everything: `<prefix>_<uuidv7 in hex>`, so that ids sort by time and are the same string everywhere.
import { randomBytes } from "node:crypto";

const prefixes = {
  tenant: "ten",
  user: "usr",
  apiKey: "apk",
  invitation: "inv",
  refreshToken: "rft",
  passwordReset: "pwr",
  tenantKey: "key",
  credential: "crd",
  source: "src",
  schedule: "sch",
  job: "job",
  snapshot: "snp",
  restore: "rst",
  worker: "wrk",
  workerEnrolment: "enr",
  auditEvent: "aud",
} as const;

export type Noun = keyof typeof prefixes;

/** A new id, ordered by `at` (UUIDv7, RFC 9562 §5.7). */
export function newId(noun: Noun, at: Date): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(at.getTime(), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return `${prefixes[noun]}_${bytes.toString("hex")}`;
}

/** Which noun an id names, or null for a string that is no id of ours. */
export function nounOf(id: string): Noun | null {
  const match = /^([a-z]{3})_[0-9a-f]{32}$/.exec(id);
  if (!match) return null;
  for (const [noun, prefix] of Object.entries(prefixes)) if (prefix === match[1]) return noun as Noun;
  return null;
}

/** When an id was made: by the hub's own clock, for nobody else makes them. Null for a string that is no id of ours. */
export function timeOf(id: string): Date | null {
  return nounOf(id) ? new Date(Number.parseInt(id.slice(4, 16), 16)) : null;
}
