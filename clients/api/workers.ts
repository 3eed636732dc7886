// The processes of the data plane, for operators of the platform.
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const workerFacts = graphql(
  `fragment WorkerFacts on Worker { id name role status capabilities storageBase lastSeenAt createdAt }`,
);

export const listWorkers = graphql(
  `query ListWorkers($first: Int = 100, $after: String) {
    workers(first: $first, after: $after) {
      nodes { ...WorkerFacts }
      pageInfo { hasNextPage endCursor }
    }
  }`,
  [workerFacts],
);

export const enrolWorker = graphql(
  `mutation EnrolWorker($input: EnrolWorkerInput!) {
    enrolWorker(input: $input) { ...Refusal
      ... on EnrolWorkerPayload { __typename token enrolment { id name role expiresAt createdAt } }
    }
  }`,
  [refusal],
);
