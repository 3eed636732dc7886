// What is asked of both sides: the same rows in the same order, in the words of each.
import assert from "node:assert/strict";
import type { Member } from "./served.ts";

export interface Shape {
  readonly name: string;
  /** To the hub. */
  readonly ours: string;
  /** To PostGraphile; its fields go by the names of ours. */
  readonly theirs: string;
  readonly variables: (member: Member) => Record<string, string>;
}

const sourceFields = "type name config status hostKey createdAt";
const snapshotFields = "status plainBytes storedBytes fileCount durationMs artifactSha256 pinned partial createdAt";
const jobFields = "type status attempt errorCode createdAt startedAt endedAt";
const ofTenant = ({ tenantId }: Member) => ({ id: tenantId });

export const shapes: readonly Shape[] = [
  {
    name: "20 sources and how many there are",
    ours: `query ($id: ID!) { tenant(id: $id) { sources(first: 20) { totalCount nodes { id ${sourceFields} } } } }`,
    theirs: `query ($id: String!) { tenant: tenantByRowId(rowId: $id) {
      sources: sourcesByTenantId(first: 20, orderBy: ROW_ID_DESC) { totalCount nodes { id: rowId ${sourceFields} } } } }`,
    variables: ofTenant,
  },
  {
    name: "20 sources, the newest 5 snapshots of each",
    ours: `query ($id: ID!) { tenant(id: $id) { sources(first: 20) { nodes { id name
      snapshots(first: 5) { nodes { id ${snapshotFields} } } } } } }`,
    theirs: `query ($id: String!) { tenant: tenantByRowId(rowId: $id) {
      sources: sourcesByTenantId(first: 20, orderBy: ROW_ID_DESC) { nodes { id: rowId name
        snapshots: snapshotsByTenantIdAndSourceId(first: 5, orderBy: ROW_ID_DESC) { nodes { id: rowId ${snapshotFields} } } } } } }`,
    variables: ofTenant,
  },
  {
    name: "a snapshot, its job and its source",
    ours: `query ($id: ID!) { snapshot(id: $id) { id ${snapshotFields} job { id ${jobFields} source { id ${sourceFields} } } } }`,
    theirs: `query ($id: String!) { snapshot: snapshotByRowId(rowId: $id) { id: rowId ${snapshotFields}
      job: jobByTenantIdAndJobId { id: rowId ${jobFields} source: sourceByTenantIdAndSourceId { id: rowId ${sourceFields} } } } }`,
    variables: ({ snapshotId }) => ({ id: snapshotId }),
  },
  {
    name: "tenants, 20 sources, 5 jobs, snapshot and log",
    ours: `query ($id: ID!) { tenant(id: $id) { id name sources(first: 20) { nodes { id name
      jobs(first: 5) { nodes { id ${jobFields} snapshot { id ${snapshotFields} } events(first: 5) { nodes { seq kind at } } } } } } } }`,
    theirs: `query ($id: String!) { tenant: tenantByRowId(rowId: $id) { id: rowId name
      sources: sourcesByTenantId(first: 20, orderBy: ROW_ID_DESC) { nodes { id: rowId name
        jobs: jobsByTenantIdAndSourceId(first: 5, orderBy: ROW_ID_DESC) { nodes { id: rowId ${jobFields}
          snapshot: snapshotsByTenantIdAndJobId(first: 1) { nodes { id: rowId ${snapshotFields} } }
          events: jobEventsByTenantIdAndJobId(first: 5, orderBy: SEQ_ASC) { nodes { seq kind at } } } } } } } }`,
    variables: ofTenant,
  },
];

/** Throws where the two answers differ in anything but how they write numbers, times and a snapshot that is one of one. */
export function assertSameRows(ours: unknown, theirs: unknown): void {
  const text = JSON.stringify(ours);
  assert.ok(text.length > 200, `next to nothing was answered: ${text}`);
  assert.deepEqual(plain(ours), plain(theirs));
}

function plain(value: unknown, key = ""): unknown {
  if (typeof value === "number") return String(value);
  if (typeof value === "string" && (key === "at" || key.endsWith("At"))) return Date.parse(value);
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (key === "snapshot" && "nodes" in value) return plain((value.nodes as unknown[])[0] ?? null);
  return Object.fromEntries(entries.map(([name, member]) => [name, plain(member, name)]));
}
