// When sources are due.
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const scheduleFacts = graphql(
  `fragment ScheduleFacts on Schedule { id cron intervalMinutes timezone status nextRunAt createdAt }`,
);

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

export const createSchedule = graphql(
  `mutation CreateSchedule($input: CreateScheduleInput!) {
    createSchedule(input: $input) {
      ...Refusal
      ... on CreateSchedulePayload { __typename schedule { ...ScheduleFacts } }
    }
  }`,
  [refusal, scheduleFacts],
);
