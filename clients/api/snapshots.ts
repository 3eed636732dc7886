// What is kept.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const snapshotFacts = graphql(`
  fragment SnapshotFacts on Snapshot {
    id status createdAt plainBytes storedBytes fileCount durationMs partial pinned verifiedAt
    storage localPath artifactSha256 keyFingerprint
    job { id source { id name } }
  }
`);

export type SnapshotFacts = ResultOf<typeof snapshotFacts>;

export const getSnapshot = graphql(
  `query GetSnapshot($snapshotId: ID!) {
    snapshot(id: $snapshotId) { ...SnapshotFacts warnings { code path message } }
  }`,
  [snapshotFacts],
);

/** Of one source, newest first. */
export const listSnapshots = graphql(
  `query ListSnapshots($sourceId: ID!, $first: Int = 100, $after: String) {
    source(id: $sourceId) {
      id
      snapshots(first: $first, after: $after) {
        nodes { ...SnapshotFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [snapshotFacts],
);

/** Of all sources of a tenant, newest first. */
export const listTenantSnapshots = graphql(
  `query ListTenantSnapshots($tenantId: ID!, $first: Int = 100, $after: String) {
    tenant(id: $tenantId) {
      snapshots(first: $first, after: $after) {
        nodes { ...SnapshotFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [snapshotFacts],
);

export const deleteSnapshot = graphql(
  `mutation DeleteSnapshot($input: DeleteSnapshotInput!) {
    deleteSnapshot(input: $input) { ...Refusal ... on DeleteSnapshotPayload { __typename job { id status } } }
  }`,
  [refusal],
);
