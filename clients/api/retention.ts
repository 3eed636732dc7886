// What is kept, what is let go, and why.
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const verdictFacts = graphql(`
  fragment VerdictFacts on RetentionVerdict {
    reasons { code bucket message }
    snapshot { id createdAt status pinned }
  }
`);

/** The first 100 of each; with a `policy`, what that one would do. */
export const previewRetention = graphql(
  `query PreviewRetention($sourceId: ID!, $policy: RetentionPolicyInput, $timezone: String) {
    previewRetention(sourceId: $sourceId, policy: $policy, timezone: $timezone) {
      kept(first: 100) { totalCount nodes { ...VerdictFacts } }
      going(first: 100) { totalCount nodes { ...VerdictFacts } }
    }
  }`,
  [verdictFacts],
);

/** Of one source, of a tenant, or, for operators, of everybody. */
export const runRetention = graphql(
  `mutation RunRetention($input: RunRetentionInput!) {
    runRetention(input: $input) {
      ...Refusal
      ... on RunRetentionPayload { __typename evaluated kept deleted enqueued }
    }
  }`,
  [refusal],
);
