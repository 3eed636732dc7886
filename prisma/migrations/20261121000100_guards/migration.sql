-- What the Prisma schema cannot say: the rules that hold even when the code above them is wrong.
-- Every refusal is a check_violation (23514) that carries the name of its rule as the constraint.

-- Jobs ---------------------------------------------------------------------------------------------------------------

ALTER TABLE "jobs"
  ADD CONSTRAINT "jobs_id_format" CHECK ("id" ~ '^[a-z]{2,5}_[0-9a-f]{32}$'),
  ADD CONSTRAINT "jobs_attempts" CHECK ("attempt" BETWEEN 0 AND "max_attempts" AND "max_attempts" >= 1),
  ADD CONSTRAINT "jobs_counters" CHECK ("lease_epoch" >= 0 AND "event_seq" >= 0 AND "warning_count" >= 0);

-- The attempt is counted by the claim (queued to running). The one way back, running or finalizing to queued, therefore
-- needs an attempt that is still to be had: a job queued with none left would break every claim that came upon it.
CREATE FUNCTION "guard_job"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW."status" <> OLD."status" AND NOT (CASE OLD."status"
    WHEN 'QUEUED' THEN NEW."status" IN ('RUNNING', 'FAILED', 'CANCELED')
    WHEN 'RUNNING' THEN NEW."status" IN ('FINALIZING', 'COMPLETED', 'FAILED', 'CANCELED', 'QUEUED')
    WHEN 'FINALIZING' THEN NEW."status" IN ('COMPLETED', 'FAILED', 'CANCELED', 'QUEUED')
    ELSE false
  END) THEN
    RAISE EXCEPTION 'job % cannot go from % to %', OLD."id", OLD."status", NEW."status"
      USING ERRCODE = 'check_violation', TABLE = 'jobs', CONSTRAINT = 'jobs_status_forward';
  END IF;
  IF NEW."status" = 'QUEUED' AND OLD."status" <> 'QUEUED' AND NEW."attempt" >= NEW."max_attempts" THEN
    RAISE EXCEPTION 'job % has no attempt left to be queued for', OLD."id"
      USING ERRCODE = 'check_violation', TABLE = 'jobs', CONSTRAINT = 'jobs_attempt_left';
  END IF;
  IF NEW."lease_epoch" < OLD."lease_epoch" OR NEW."event_seq" < OLD."event_seq" THEN
    RAISE EXCEPTION 'lease epoch and event sequence of job % never go back', OLD."id"
      USING ERRCODE = 'check_violation', TABLE = 'jobs', CONSTRAINT = 'jobs_counters_forward';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER "guard_job" BEFORE UPDATE ON "jobs" FOR EACH ROW EXECUTE FUNCTION "guard_job"();

-- The claim: the best queued job overall, and the best one of a given tenant.
CREATE INDEX "jobs_queued_idx" ON "jobs" ("priority" DESC, "created_at") WHERE "status" = 'QUEUED';
CREATE INDEX "jobs_queued_tenant_idx" ON "jobs" ("tenant_id", "priority" DESC, "created_at") WHERE "status" = 'QUEUED';

-- The relay: bells still to be rung.
CREATE INDEX "outbox_unrung_idx" ON "outbox" ("id") WHERE "rung_at" IS NULL;

-- Logs ---------------------------------------------------------------------------------------------------------------

CREATE FUNCTION "refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$;

-- Events of a job go when their job goes; audit events never do.
CREATE TRIGGER "job_events_append_only" BEFORE UPDATE ON "job_events"
  FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "audit_events_append_only" BEFORE UPDATE OR DELETE ON "audit_events"
  FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "audit_events_never_emptied" BEFORE TRUNCATE ON "audit_events"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();

-- Snapshots ----------------------------------------------------------------------------------------------------------

ALTER TABLE "snapshots"
  ADD CONSTRAINT "snapshots_id_format" CHECK ("id" ~ '^[a-z]{2,5}_[0-9a-f]{32}$'),
  ADD CONSTRAINT "snapshots_sizes"
    CHECK ("plain_bytes" >= 0 AND "stored_bytes" >= 0 AND "file_count" >= 0 AND "duration_ms" >= 0);

-- A snapshot found missing or corrupt may be found whole again; one being deleted only ever ends deleted.
-- Its age is what retention decides by, so nothing may change it afterwards.
CREATE FUNCTION "guard_snapshot"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW."status" <> OLD."status" AND NOT (CASE OLD."status"
    WHEN 'COMPLETED' THEN NEW."status" IN ('DELETING', 'MISSING', 'CORRUPT')
    WHEN 'MISSING' THEN NEW."status" IN ('COMPLETED', 'DELETING', 'CORRUPT')
    WHEN 'CORRUPT' THEN NEW."status" IN ('COMPLETED', 'DELETING', 'MISSING')
    WHEN 'FAILED' THEN NEW."status" = 'DELETING'
    WHEN 'DELETING' THEN NEW."status" = 'DELETED'
    ELSE false
  END) THEN
    RAISE EXCEPTION 'snapshot % cannot go from % to %', OLD."id", OLD."status", NEW."status"
      USING ERRCODE = 'check_violation', TABLE = 'snapshots', CONSTRAINT = 'snapshots_status_forward';
  END IF;
  IF NEW."created_at" <> OLD."created_at" THEN
    RAISE EXCEPTION 'the time snapshot % was made is not to be changed', OLD."id"
      USING ERRCODE = 'check_violation', TABLE = 'snapshots', CONSTRAINT = 'snapshots_created_once';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER "guard_snapshot" BEFORE UPDATE ON "snapshots" FOR EACH ROW EXECUTE FUNCTION "guard_snapshot"();

-- Everything else ----------------------------------------------------------------------------------------------------

-- These ids become folders and object keys.
ALTER TABLE "tenants"
  ADD CONSTRAINT "tenants_id_format" CHECK ("id" ~ '^[a-z]{2,5}_[0-9a-f]{32}$'),
  ADD CONSTRAINT "tenants_quotas" CHECK ("max_sources" >= 0 AND "max_bytes" >= 0 AND "max_running_jobs" >= 0);
ALTER TABLE "sources" ADD CONSTRAINT "sources_id_format" CHECK ("id" ~ '^[a-z]{2,5}_[0-9a-f]{32}$');
ALTER TABLE "workers" ADD CONSTRAINT "workers_id_format" CHECK ("id" ~ '^[a-z]{2,5}_[0-9a-f]{32}$');
ALTER TABLE "restores"
  ADD CONSTRAINT "restores_id_format" CHECK ("id" ~ '^[a-z]{2,5}_[0-9a-f]{32}$'),
  ADD CONSTRAINT "restores_sizes" CHECK ("size_bytes" >= 0 AND "times_fetched" >= 0);

-- One sign-in name, one user: the unique index alone would let Ann@ and ann@ both in.
ALTER TABLE "users" ADD CONSTRAINT "users_email_lower" CHECK ("email" = lower("email"));

-- The customer's private key never enters this database.
ALTER TABLE "tenant_keys"
  ADD CONSTRAINT "tenant_keys_custody" CHECK ("custody" <> 'CUSTOMER' OR "sealed_private_key" IS NULL),
  ADD CONSTRAINT "tenant_keys_sealing" CHECK ("sealed_private_key" IS NULL OR "kek_id" IS NOT NULL);

ALTER TABLE "schedules"
  ADD CONSTRAINT "schedules_rhythm" CHECK (num_nonnulls("cron", "interval_minutes") = 1),
  ADD CONSTRAINT "schedules_interval" CHECK ("interval_minutes" > 0);

-- A source has at most one backup under way: queued twice at once, the second is refused here.
CREATE UNIQUE INDEX "jobs_backup_under_way_key" ON "jobs" ("source_id")
  WHERE "type" = 'BACKUP' AND "status" IN ('QUEUED', 'RUNNING', 'FINALIZING');

-- When a row last changed, by this server's clock and nobody else's.
CREATE FUNCTION "touch_updated_at"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW."updated_at" := now();
  RETURN NEW;
END $$;

DO $$
DECLARE
  of_table text;
BEGIN
  FOREACH of_table IN ARRAY ARRAY['tenants', 'users', 'credentials', 'sources', 'schedules', 'jobs', 'system_settings'] LOOP
    EXECUTE format('CREATE TRIGGER "touch_updated_at" BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION "touch_updated_at"()', of_table);
  END LOOP;
END $$;
