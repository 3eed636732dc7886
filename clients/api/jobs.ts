// Work that was and is being done: started, looked at, watched and stopped.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const jobFacts = graphql(`
  fragment JobFacts on Job {
    id type status attempt maxAttempts errorCode errorMessage warningCount
    createdAt startedAt endedAt cancelRequestedAt nextAttemptAt
    waitingFor { code message workerName lastSeenAt }
  }
`);

export const getJob = graphql(
  `query GetJob($jobId: ID!) {
    job(id: $jobId) {
      ...JobFacts findings
      source { id name }
      snapshot { id }
      restore { id }
    }
  }`,
  [jobFacts],
);

/** Newest first. */
export const listJobs = graphql(
  `query ListJobs($tenantId: ID!, $first: Int = 100, $after: String, $where: JobFilterInput) {
    tenant(id: $tenantId) {
      jobs(first: $first, after: $after, where: $where) {
        nodes { ...JobFacts source { id name } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [jobFacts],
);

export const startBackup = graphql(
  `mutation StartBackup($input: StartBackupInput!) {
    startBackup(input: $input) {
      ...Refusal
      ... on BackupAlreadyRunningError { jobId }
      ... on StartBackupPayload { __typename job { ...JobFacts source { id name } } }
    }
  }`,
  [refusal, jobFacts],
);

export const cancelJob = graphql(
  `mutation CancelJob($input: CancelJobInput!) {
    cancelJob(input: $input) { ...Refusal ... on CancelJobPayload { __typename job { ...JobFacts } } }
  }`,
  [refusal, jobFacts],
);

/** What `watchJob` of the client runs on. */
export const jobProgressed = graphql(
  `subscription JobProgressed($jobId: ID!, $after: String) {
    jobProgressed(jobId: $jobId, after: $after) {
      cursor
      job { ...JobFacts }
      event { seq kind facts at }
      progress { phase filesDone filesTotal bytesDone bytesTotal storedBytes currentPath }
    }
  }`,
  [jobFacts],
);

/** What `watchJobs` of the client runs on. */
export const jobsChanged = graphql(
  `subscription JobsChanged($tenantId: ID, $sourceId: ID, $after: String) {
    jobsChanged(tenantId: $tenantId, sourceId: $sourceId, after: $after) {
      cursor
      job { ...JobFacts source { id name } }
    }
  }`,
  [jobFacts],
);

export type JobsChange = ResultOf<typeof jobsChanged>["jobsChanged"];

/** One step of a job that is watched. */
export type JobStep = ResultOf<typeof jobProgressed>["jobProgressed"];
export type JobFacts = ResultOf<typeof jobFacts>;
export type JobStatus = JobFacts["status"];

/** Whether a job in this state has ended. */
export function isFinal(status: JobStatus): boolean {
  return status === "COMPLETED" || status === "FAILED" || status === "CANCELED";
}

/** The log of a job, oldest first. */
export const listJobEvents = graphql(
  `query ListJobEvents($jobId: ID!, $first: Int = 100, $after: String) {
    job(id: $jobId) {
      events(first: $first, after: $after) {
        nodes { seq kind facts at }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
);

/** Does again, as a new job, what failed or was canceled. */
export const retryJob = graphql(
  `mutation RetryJob($input: RetryJobInput!) {
    retryJob(input: $input) {
      ...Refusal
      ... on BackupAlreadyRunningError { jobId }
      ... on RetryJobPayload { __typename job { ...JobFacts source { id name } } }
    }
  }`,
  [refusal, jobFacts],
);
