// When sources are due, and what of them is kept.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const scheduleFacts = graphql(`
  fragment ScheduleFacts on Schedule {
    id cron intervalMinutes timezone window { from to } jitterMinutes missedRuns status nextRunAt lastRunAt
    skippedRuns lastSkippedAt lastSkipReason createdAt updatedAt
    retention { keepLast keepHourly keepDaily keepWeekly keepMonthly keepYearly minAgeDays maxAgeDays }
  }
`);

export type ScheduleFacts = ResultOf<typeof scheduleFacts>;

export const getSchedule = graphql(
  `query GetSchedule($scheduleId: ID!) {
    schedule(id: $scheduleId) { ...ScheduleFacts source { id name } }
  }`,
  [scheduleFacts],
);

/** Its next runs, each with when it is due and when it may begin. */
export const listPlannedRuns = graphql(`
  query ListPlannedRuns($scheduleId: ID!, $first: Int = 5) {
    schedule(id: $scheduleId) { plannedRuns(first: $first) { dueAt notBefore } }
  }
`);

/** Of one source. */
export const listSchedules = graphql(
  `query ListSchedules($sourceId: ID!, $first: Int = 100, $after: String) {
    source(id: $sourceId) {
      schedules(first: $first, after: $after) {
        nodes { ...ScheduleFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [scheduleFacts],
);

/** Of all sources of a tenant. */
export const listTenantSchedules = graphql(
  `query ListTenantSchedules($tenantId: ID!, $first: Int = 100, $after: String, $where: ScheduleFilterInput) {
    tenant(id: $tenantId) {
      schedules(first: $first, after: $after, where: $where) {
        nodes { ...ScheduleFacts source { id name } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [scheduleFacts],
);

/** When it would be due, without making it. */
export const previewSchedule = graphql(
  `query PreviewSchedule($input: TimetableInput!, $first: Int = 5) {
    previewSchedule(input: $input, first: $first) {
      __typename
      ...Refusal
      ... on SchedulePreview { runs }
    }
  }`,
  [refusal],
);

export const createSchedule = graphql(
  `mutation CreateSchedule($input: CreateScheduleInput!) {
    createSchedule(input: $input) {
      ...Refusal
      ... on CreateSchedulePayload { __typename schedule { ...ScheduleFacts } }
    }
  }`,
  [refusal, scheduleFacts],
);

export const updateSchedule = graphql(
  `mutation UpdateSchedule($input: UpdateScheduleInput!) {
    updateSchedule(input: $input) {
      ...Refusal
      ... on UpdateSchedulePayload { __typename schedule { ...ScheduleFacts } }
    }
  }`,
  [refusal, scheduleFacts],
);

export const pauseSchedule = graphql(
  `mutation PauseSchedule($input: PauseScheduleInput!) {
    pauseSchedule(input: $input) {
      ...Refusal
      ... on PauseSchedulePayload { __typename schedule { ...ScheduleFacts } }
    }
  }`,
  [refusal, scheduleFacts],
);

export const resumeSchedule = graphql(
  `mutation ResumeSchedule($input: ResumeScheduleInput!) {
    resumeSchedule(input: $input) {
      ...Refusal
      ... on ResumeSchedulePayload { __typename schedule { ...ScheduleFacts } }
    }
  }`,
  [refusal, scheduleFacts],
);

export const deleteSchedule = graphql(
  `mutation DeleteSchedule($input: DeleteScheduleInput!) {
    deleteSchedule(input: $input) {
      ...Refusal
      ... on DeleteSchedulePayload { __typename scheduleId }
    }
  }`,
  [refusal],
);
