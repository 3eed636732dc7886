// Customers: the owners of everything else.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const tenantFacts = graphql(`
  fragment TenantFacts on Tenant {
    id name status plan createdAt deletionDueAt suspendedFor
    quotas { maxSources maxBytes maxRunningJobs }
    usage { sources snapshots storedBytes runningJobs }
  }
`);

export type TenantFacts = ResultOf<typeof tenantFacts>;

const tenantOverview = graphql(`
  fragment TenantOverview on TenantOverview {
    id name status plan createdAt deletionDueAt suspendedAt suspendedFor
    quotas { maxSources maxBytes maxRunningJobs }
    usage { sources snapshots storedBytes runningJobs }
  }
`);

export type TenantOverview = ResultOf<typeof tenantOverview>;

export const getTenant = graphql(
  `query GetTenant($tenantId: ID!) {
    tenant(id: $tenantId) { ...TenantFacts }
  }`,
  [tenantFacts],
);

/** Those that the signed-in have a part in; of an API key, its own. */
export const listTenants = graphql(
  `query ListTenants($first: Int = 100, $after: String) {
    tenants(first: $first, after: $after) {
        nodes { id name status createdAt }
        pageInfo { hasNextPage endCursor }
      }
  }`,
);

export const updateTenant = graphql(
  `mutation UpdateTenant($input: UpdateTenantInput!) {
    updateTenant(input: $input) {
      ...Refusal
      ... on UpdateTenantPayload { __typename tenant { ...TenantFacts } }
    }
  }`,
  [refusal, tenantFacts],
);

/** With a grace, in which `undeleteTenant` takes it back. */
export const deleteTenant = graphql(
  `mutation DeleteTenant($input: DeleteTenantInput!) {
    deleteTenant(input: $input) {
      ...Refusal
      ... on DeleteTenantPayload { __typename tenant { ...TenantOverview } }
    }
  }`,
  [refusal, tenantOverview],
);

export const undeleteTenant = graphql(
  `mutation UndeleteTenant($input: UndeleteTenantInput!) {
    undeleteTenant(input: $input) {
      ...Refusal
      ... on UndeleteTenantPayload { __typename tenant { ...TenantOverview } }
    }
  }`,
  [refusal, tenantOverview],
);

/** For operators, as is all that follows. */
export const createTenant = graphql(
  `mutation CreateTenant($input: CreateTenantInput!) {
    createTenant(input: $input) {
      ...Refusal
      ... on CreateTenantPayload { __typename tenant { id name status createdAt } }
    }
  }`,
  [refusal],
);

export const listAllTenants = graphql(
  `query ListAllTenants($first: Int = 100, $after: String, $where: TenantOverviewFilter) {
    allTenants(first: $first, after: $after, where: $where) {
        nodes { ...TenantOverview }
        pageInfo { hasNextPage endCursor }
      }
  }`,
  [tenantOverview],
);

export const suspendTenant = graphql(
  `mutation SuspendTenant($input: SuspendTenantInput!) {
    suspendTenant(input: $input) {
      ...Refusal
      ... on SuspendTenantPayload { __typename tenant { ...TenantOverview } }
    }
  }`,
  [refusal, tenantOverview],
);

export const resumeTenant = graphql(
  `mutation ResumeTenant($input: ResumeTenantInput!) {
    resumeTenant(input: $input) {
      ...Refusal
      ... on ResumeTenantPayload { __typename tenant { ...TenantOverview } }
    }
  }`,
  [refusal, tenantOverview],
);

export const setTenantQuotas = graphql(
  `mutation SetTenantQuotas($input: SetTenantQuotasInput!) {
    setTenantQuotas(input: $input) {
      ...Refusal
      ... on SetTenantQuotasPayload { __typename tenant { ...TenantOverview } }
    }
  }`,
  [refusal, tenantOverview],
);
