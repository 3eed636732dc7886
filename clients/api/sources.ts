// The places that are backed up.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const sourceFacts = graphql(
  `fragment SourceFacts on Source { id name type config hostKey jumpHostKey status maxBytesPerSecond createdAt }`,
);

export type SourceFacts = ResultOf<typeof sourceFacts>;

export const getSource = graphql(
  `query GetSource($sourceId: ID!) {
    source(id: $sourceId) { ...SourceFacts credential { id name } }
  }`,
  [sourceFacts],
);

/** With the newest few snapshots of each, newest first. */
export const listSources = graphql(
  `query ListSources($tenantId: ID!, $first: Int = 50, $after: String, $where: SourceFilterInput, $orderBy: SourceOrder) {
    tenant(id: $tenantId) {
      sources(first: $first, after: $after, where: $where, orderBy: $orderBy) {
        nodes { ...SourceFacts snapshots(first: 5) { nodes { id status createdAt } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [sourceFacts],
);

export const createSource = graphql(
  `mutation CreateSource($input: CreateSourceInput!) {
    createSource(input: $input) {
      ...Refusal
      ... on QuotaExceededError { limit }
      ... on CreateSourcePayload { __typename source { ...SourceFacts } }
    }
  }`,
  [refusal, sourceFacts],
);

export const updateSource = graphql(
  `mutation UpdateSource($input: UpdateSourceInput!) {
    updateSource(input: $input) { ...Refusal ... on UpdateSourcePayload { __typename source { ...SourceFacts } } }
  }`,
  [refusal, sourceFacts],
);

/** Watch the job for the outcome; the source has its host key then. */
export const testSource = graphql(
  `mutation TestSource($input: TestSourceInput!) {
    testSource(input: $input) { ...Refusal ... on TestSourcePayload { __typename job { id status } } }
  }`,
  [refusal],
);

/** Before there is a source: its settings and a credential. Watch the job; its findings have the host keys to accept. */
export const testSourceDraft = graphql(
  `mutation TestSourceDraft($input: TestSourceDraftInput!) {
    testSourceDraft(input: $input) { ...Refusal ... on TestSourceDraftPayload { __typename job { id status } } }
  }`,
  [refusal],
);

export const acceptHostKey = graphql(
  `mutation AcceptHostKey($input: AcceptHostKeyInput!) {
    acceptHostKey(input: $input) { ...Refusal ... on AcceptHostKeyPayload { __typename source { ...SourceFacts } } }
  }`,
  [refusal, sourceFacts],
);

export const enableSource = graphql(
  `mutation EnableSource($input: EnableSourceInput!) {
    enableSource(input: $input) {
      ...Refusal
      ... on EnableSourcePayload { __typename source { ...SourceFacts } }
    }
  }`,
  [refusal, sourceFacts],
);

/** It is not backed up until it is enabled again; what is kept stays. */
export const disableSource = graphql(
  `mutation DisableSource($input: DisableSourceInput!) {
    disableSource(input: $input) {
      ...Refusal
      ... on DisableSourcePayload { __typename source { ...SourceFacts } }
    }
  }`,
  [refusal, sourceFacts],
);

/** For good, with its schedules; its snapshots only where that is asked for. */
export const deleteSource = graphql(
  `mutation DeleteSource($input: DeleteSourceInput!) {
    deleteSource(input: $input) {
      ...Refusal
      ... on SourceHasSnapshotsError { count }
      ... on DeleteSourcePayload { __typename source { ...SourceFacts } }
    }
  }`,
  [refusal, sourceFacts],
);
