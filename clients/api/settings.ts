// What holds for the whole platform, for its operators.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const settingFacts = graphql(`
  fragment SettingFacts on SystemSetting {
    key value default minimum maximum description
  }
`);

export type SettingFacts = ResultOf<typeof settingFacts>;

export const listSettings = graphql(`query ListSettings { settings { ...SettingFacts } }`, [settingFacts]);

export const updateSetting = graphql(
  `mutation UpdateSetting($input: UpdateSettingInput!) {
    updateSetting(input: $input) {
      ...Refusal
      ... on UpdateSettingPayload { __typename setting { ...SettingFacts } }
    }
  }`,
  [refusal, settingFacts],
);

/** Back to what it is without anybody setting it. */
export const resetSetting = graphql(
  `mutation ResetSetting($input: ResetSettingInput!) {
    resetSetting(input: $input) {
      ...Refusal
      ... on ResetSettingPayload { __typename setting { ...SettingFacts } }
    }
  }`,
  [refusal, settingFacts],
);
