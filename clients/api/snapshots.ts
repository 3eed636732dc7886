// What is kept.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const snapshotFacts = graphql(`
  fragment SnapshotFacts on Snapshot {
    id status createdAt plainBytes storedBytes fileCount durationMs partial
    verifiedAt verifyDepth openedAt damagedAt damage
    pinned pinReason deletionDueAt deletedAt
    storage localPath artifactSha256 keyFingerprint
    job { id source { id name } }
  }
`);

export type SnapshotFacts = ResultOf<typeof snapshotFacts>;

export const getSnapshot = graphql(
  `query GetSnapshot($snapshotId: ID!) {
    snapshot(id: $snapshotId) { ...SnapshotFacts
      sealedTo restorableByPlatform
      keepReasons { code bucket message }
      warnings { code path message }
    }
  }`,
  [snapshotFacts],
);

/** Of one source, newest first. */
export const listSnapshots = graphql(
  `query ListSnapshots($sourceId: ID!, $first: Int = 100, $after: String, $where: SnapshotFilterInput) {
    source(id: $sourceId) {
      id
      snapshots(first: $first, after: $after, where: $where) {
        nodes { ...SnapshotFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [snapshotFacts],
);

/** Of all sources of a tenant, newest first. */
export const listTenantSnapshots = graphql(
  `query ListTenantSnapshots($tenantId: ID!, $first: Int = 100, $after: String, $where: SnapshotFilterInput) {
    tenant(id: $tenantId) {
      snapshots(first: $first, after: $after, where: $where) {
        nodes { ...SnapshotFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [snapshotFacts],
);

/** With a grace, in which it can be restored, and `undeleteSnapshot` takes it back. */
export const deleteSnapshot = graphql(
  `mutation DeleteSnapshot($input: DeleteSnapshotInput!) {
    deleteSnapshot(input: $input) { ...Refusal ... on DeleteSnapshotPayload { __typename job { id status dueAt } } }
  }`,
  [refusal],
);

/** Within the grace of its deletion. */
export const undeleteSnapshot = graphql(
  `mutation UndeleteSnapshot($input: UndeleteSnapshotInput!) {
    undeleteSnapshot(input: $input) {
      ...Refusal
      ... on UndeleteSnapshotPayload { __typename snapshot { ...SnapshotFacts } }
    }
  }`,
  [refusal, snapshotFacts],
);

/** Keeps it whatever the retention says, and from being deleted. */
export const pinSnapshot = graphql(
  `mutation PinSnapshot($input: PinSnapshotInput!) {
    pinSnapshot(input: $input) {
      ...Refusal
      ... on PinSnapshotPayload { __typename snapshot { ...SnapshotFacts } }
    }
  }`,
  [refusal, snapshotFacts],
);

export const unpinSnapshot = graphql(
  `mutation UnpinSnapshot($input: UnpinSnapshotInput!) {
    unpinSnapshot(input: $input) {
      ...Refusal
      ... on UnpinSnapshotPayload { __typename snapshot { ...SnapshotFacts } }
    }
  }`,
  [refusal, snapshotFacts],
);

/** Checks it now; the job fails with ARTIFACT_CORRUPT where it is not whole. */
export const verifySnapshot = graphql(
  `mutation VerifySnapshot($input: VerifySnapshotInput!) {
    verifySnapshot(input: $input) { ...Refusal ... on VerifySnapshotPayload { __typename job { id status verifyDepth } } }
  }`,
  [refusal],
);

/** What `watchSnapshots` of the client runs on. */
export const snapshotsChanged = graphql(
  `subscription SnapshotsChanged($tenantId: ID, $sourceId: ID, $after: String) {
    snapshotsChanged(tenantId: $tenantId, sourceId: $sourceId, after: $after) {
      cursor
      snapshot { ...SnapshotFacts }
    }
  }`,
  [snapshotFacts],
);

export type SnapshotsChange = ResultOf<typeof snapshotsChanged>["snapshotsChanged"];
