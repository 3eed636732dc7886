// The processes of the data plane, for operators of the platform.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const workerFacts = graphql(`
  fragment WorkerFacts on Worker {
    id name role status capabilities storageBase lastSeenAt createdAt drainedAt retiredAt
    runningJobs snapshotCount storedBytes concurrency freeBytes totalBytes inventoriedAt
    inventory { present adopted removed missing returned left { snapshotId reason } }
  }
`);

export type WorkerFacts = ResultOf<typeof workerFacts>;

export const getWorker = graphql(
  `query GetWorker($workerId: ID!) {
    worker(id: $workerId) { ...WorkerFacts }
  }`,
  [workerFacts],
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

/** The token lets one process join, once; it is in no later answer. */
export const enrolWorker = graphql(
  `mutation EnrolWorker($input: EnrolWorkerInput!) {
    enrolWorker(input: $input) {
      ...Refusal
      ... on EnrolWorkerPayload { __typename token enrolment { id name role expiresAt createdAt } }
    }
  }`,
  [refusal],
);

export const updateWorker = graphql(
  `mutation UpdateWorker($input: UpdateWorkerInput!) {
    updateWorker(input: $input) {
      ...Refusal
      ... on UpdateWorkerPayload { __typename worker { ...WorkerFacts } }
    }
  }`,
  [refusal, workerFacts],
);

/** It finishes what it has and takes no more, until `resumeWorker`. */
export const drainWorker = graphql(
  `mutation DrainWorker($input: DrainWorkerInput!) {
    drainWorker(input: $input) {
      ...Refusal
      ... on DrainWorkerPayload { __typename worker { ...WorkerFacts } }
    }
  }`,
  [refusal, workerFacts],
);

/** It compares its store with the database: watch its `inventoriedAt`. */
export const startInventory = graphql(
  `mutation StartInventory($input: StartInventoryInput!) {
    startInventory(input: $input) {
      ...Refusal
      ... on StartInventoryPayload { __typename worker { ...WorkerFacts } }
    }
  }`,
  [refusal, workerFacts],
);

export const resumeWorker = graphql(
  `mutation ResumeWorker($input: ResumeWorkerInput!) {
    resumeWorker(input: $input) {
      ...Refusal
      ... on ResumeWorkerPayload { __typename worker { ...WorkerFacts } }
    }
  }`,
  [refusal, workerFacts],
);

/** For good. `missing`: how many snapshots nobody can reach any more. */
export const retireWorker = graphql(
  `mutation RetireWorker($input: RetireWorkerInput!) {
    retireWorker(input: $input) {
      ...Refusal
      ... on WorkerInUseError { snapshotCount }
      ... on RetireWorkerPayload { __typename missing worker { ...WorkerFacts } }
    }
  }`,
  [refusal, workerFacts],
);

/** What `watchWorkers` of the client runs on. */
export const workersChanged = graphql(
  `subscription WorkersChanged($after: String) {
    workersChanged(after: $after) { cursor worker { ...WorkerFacts } }
  }`,
  [workerFacts],
);

export type WorkersChange = ResultOf<typeof workersChanged>["workersChanged"];
