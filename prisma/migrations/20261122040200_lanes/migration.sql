-- Claims that cost the same whatever is queued. The lane of a job says in one word what its claimer has to be able to do, so
-- that whoever asks never walks over jobs that are not for them: `BACKUP/SFTP`, or `DELETE_SNAPSHOT@wrk_…` for what lies in one store.

-- AlterTable
ALTER TABLE "jobs" ADD COLUMN     "lane" TEXT NOT NULL DEFAULT '';

CREATE FUNCTION "lane_of"("of_type" job_type, "of_source" text, "of_draft" jsonb, "of_worker" text) RETURNS text LANGUAGE sql STABLE
  RETURN "of_type"::text
    || COALESCE('/' || COALESCE((SELECT "type"::text FROM "sources" WHERE "id" = "of_source"), "of_draft"->>'type'), '')
    || COALESCE('@' || "of_worker", '');

-- Also for the jobs of a hub of the version before, which knows no lanes.
CREATE FUNCTION "choose_lane"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW."lane" := "lane_of"(NEW."type", NEW."source_id", NEW."source_draft", NEW."target_worker_id");
  RETURN NEW;
END $$;

UPDATE "jobs" SET "lane" = "lane_of"("type", "source_id", "source_draft", "target_worker_id")
  WHERE "status" IN ('QUEUED', 'RUNNING', 'FINALIZING');

CREATE TRIGGER "choose_lane" BEFORE INSERT ON "jobs" FOR EACH ROW WHEN (NEW."lane" = '') EXECUTE FUNCTION "choose_lane"();
CREATE TRIGGER "change_lane" BEFORE UPDATE OF "target_worker_id" ON "jobs" FOR EACH ROW
  WHEN (NEW."target_worker_id" IS DISTINCT FROM OLD."target_worker_id") EXECUTE FUNCTION "choose_lane"();

SELECT "wall_reveal"('jobs');

-- The claim walks from lane to lane, from urgency to urgency and from tenant to tenant, and reads the first due rows of each. What is
-- not due yet lies behind what is: a week of deletions in grace is not walked over.
CREATE INDEX "jobs_lane_idx" ON "jobs" ("lane", "priority", "tenant_id", "not_before", "id") WHERE "status" = 'QUEUED';
DROP INDEX "jobs_queued_idx";
DROP INDEX "jobs_queued_tenant_idx";

-- What is under way, of a tenant and of a source: as many rows as the fleet has hands.
CREATE INDEX "jobs_under_way_idx" ON "jobs" ("tenant_id", "source_id") WHERE "status" IN ('RUNNING', 'FINALIZING');
