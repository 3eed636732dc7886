// Who did what, and when.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";

const auditFacts = graphql(`
  fragment AuditFacts on AuditEvent {
    id at verb actorKind actorId actorName tenantId objectId before after
  }
`);

export type AuditFacts = ResultOf<typeof auditFacts>;

/** In a tenant, newest first; for its admins and owners. */
export const listAuditEvents = graphql(
  `query ListAuditEvents($tenantId: ID!, $first: Int = 100, $after: String, $where: AuditEventFilter) {
    tenant(id: $tenantId) {
      auditEvents(first: $first, after: $after, where: $where) {
        nodes { ...AuditFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [auditFacts],
);

/** At the platform, newest first; for its operators. */
export const listPlatformAuditEvents = graphql(
  `query ListPlatformAuditEvents($first: Int = 100, $after: String, $where: PlatformAuditEventFilter) {
    auditEvents(first: $first, after: $after, where: $where) {
        nodes { ...AuditFacts }
        pageInfo { hasNextPage endCursor }
      }
  }`,
  [auditFacts],
);
