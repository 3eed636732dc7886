// I10 as well: every row that somebody made has one line on record that says who.
import { Prisma } from "../../../prisma/client/client.ts";
import { type Check, type Finding, findingsOf, type Grounds } from "./check.ts";

/** What is made by one verb alone, and is its object. */
const makers = {
  tenants: "createTenant",
  sources: "createSource",
  credentials: "createCredential",
  schedules: "createSchedule",
  api_keys: "createApiKey",
} as const;

export const creationsAreOnRecord: Check = async function* (grounds: Grounds): AsyncGenerator<Finding> {
  for (const [table, verb] of Object.entries(makers))
    yield* findingsOf(
      grounds,
      "I10",
      Prisma.sql`
        SELECT m.id AS about, format(${`It is in ${table}, and %s lines on record say ${verb}.`}, count(a.id)) AS sentence
          FROM ${Prisma.raw(table)} m LEFT JOIN audit_events a ON a.object_id = m.id AND a.verb = ${verb}
            AND a.tenant_id = ${Prisma.raw(table === "tenants" ? "m.id" : "m.tenant_id")}
          GROUP BY m.id HAVING count(a.id) <> 1`,
    );
};
