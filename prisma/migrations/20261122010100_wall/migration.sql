-- The second wall between tenants. What a customer asks for runs as the role xvault_tenant, which sees the rows of the
-- tenants named in the connection's settings and nothing else: a query that forgets its `where` returns nothing of a neighbour's.
--
--   xvault.tenants  ids of the tenants, separated by commas
--   xvault.user     id of the person who asks, empty for a program
--   xvault.sources  ids of the sources that a program's key is good for, empty for all
--
-- Where nothing is set, nothing is seen.

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'xvault_tenant') THEN
    CREATE ROLE "xvault_tenant" NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- Another database of this server was quicker: roles belong to the server.
END $$;

DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'xvault_tenant', 'MEMBER') THEN
    GRANT "xvault_tenant" TO CURRENT_USER;
  END IF;
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO "xvault_tenant"', current_schema());
END $$;

CREATE FUNCTION "wall_tenants"() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
  RETURN string_to_array(current_setting('xvault.tenants', true), ',');

CREATE FUNCTION "wall_user"() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('xvault.user', true), '');

-- Null: all of them.
CREATE FUNCTION "wall_sources"() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
  RETURN string_to_array(nullif(current_setting('xvault.sources', true), ''), ',');

-- Lets the role read every column but the hidden ones; a migration that adds a column calls it again.
CREATE FUNCTION "wall_reveal"("of_table" text, "hidden" text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE (
    SELECT format('GRANT SELECT (%s) ON %I TO "xvault_tenant"', string_agg(quote_ident(attname), ', '), of_table)
      FROM pg_attribute WHERE attrelid = of_table::regclass AND attnum > 0 AND NOT attisdropped AND attname <> ALL (hidden));
END $$;

SELECT "wall_reveal"('tenants'), "wall_reveal"('memberships'), "wall_reveal"('sources'), "wall_reveal"('schedules'),
  "wall_reveal"('jobs'), "wall_reveal"('job_events'), "wall_reveal"('snapshots'), "wall_reveal"('audit_events'),
  "wall_reveal"('system_settings'), "wall_reveal"('outbox'),
  "wall_reveal"('users', '{password_hash}'), "wall_reveal"('api_keys', '{token_hash}'),
  "wall_reveal"('invitations', '{token_hash}'), "wall_reveal"('tenant_keys', '{sealed_private_key}'),
  "wall_reveal"('credentials', '{ciphertext}'), "wall_reveal"('restores', '{token_hash}');

GRANT UPDATE ON "tenants", "users" TO "xvault_tenant";
GRANT INSERT, UPDATE, DELETE ON "memberships", "api_keys", "invitations", "credentials", "sources", "schedules" TO "xvault_tenant";
GRANT INSERT, UPDATE ON "tenant_keys", "jobs", "snapshots", "restores" TO "xvault_tenant";
GRANT INSERT ON "job_events", "audit_events", "outbox" TO "xvault_tenant";
GRANT USAGE ON SEQUENCE "outbox_id_seq" TO "xvault_tenant";

DO $$
DECLARE
  of_table text;
BEGIN
  FOREACH of_table IN ARRAY ARRAY['tenants', 'users', 'memberships', 'api_keys', 'invitations', 'tenant_keys', 'credentials',
    'sources', 'schedules', 'jobs', 'job_events', 'snapshots', 'restores', 'audit_events', 'outbox'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', of_table);
  END LOOP;
END $$;

-- The settings are read in sub-selects, once for a statement and not for every row.
CREATE POLICY "wall" ON "tenants" TO "xvault_tenant" USING ("id" = ANY ((SELECT "wall_tenants"())::text[]));
CREATE POLICY "wall" ON "tenant_keys" TO "xvault_tenant" USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[]));

-- What a key for some sources has no business with.
CREATE POLICY "wall" ON "memberships" TO "xvault_tenant"
  USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[]) AND (SELECT "wall_sources"()) IS NULL);
CREATE POLICY "wall" ON "api_keys" TO "xvault_tenant"
  USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[]) AND (SELECT "wall_sources"()) IS NULL);
CREATE POLICY "wall" ON "invitations" TO "xvault_tenant"
  USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[]) AND (SELECT "wall_sources"()) IS NULL);
CREATE POLICY "wall" ON "credentials" TO "xvault_tenant"
  USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[]) AND (SELECT "wall_sources"()) IS NULL);
CREATE POLICY "wall" ON "users" TO "xvault_tenant"
  USING ("id" = (SELECT "wall_user"()) OR "id" IN (SELECT "user_id" FROM "memberships"));

CREATE POLICY "wall" ON "sources" TO "xvault_tenant" USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[])
  AND ((SELECT "wall_sources"()) IS NULL OR "id" = ANY ((SELECT "wall_sources"())::text[])));
CREATE POLICY "wall" ON "schedules" TO "xvault_tenant" USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[])
  AND ((SELECT "wall_sources"()) IS NULL OR "source_id" = ANY ((SELECT "wall_sources"())::text[])));
CREATE POLICY "wall" ON "jobs" TO "xvault_tenant" USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[])
  AND ((SELECT "wall_sources"()) IS NULL OR "source_id" = ANY ((SELECT "wall_sources"())::text[])
    OR "target_snapshot_id" IN (SELECT "id" FROM "snapshots")));
CREATE POLICY "wall" ON "snapshots" TO "xvault_tenant" USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[])
  AND ((SELECT "wall_sources"()) IS NULL OR "source_id" = ANY ((SELECT "wall_sources"())::text[])));
CREATE POLICY "wall" ON "restores" TO "xvault_tenant" USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[])
  AND ((SELECT "wall_sources"()) IS NULL OR "snapshot_id" IN (SELECT "id" FROM "snapshots")));
CREATE POLICY "wall" ON "job_events" TO "xvault_tenant" USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[])
  AND ((SELECT "wall_sources"()) IS NULL OR "job_id" IN (SELECT "id" FROM "jobs")));
CREATE POLICY "wall" ON "outbox" TO "xvault_tenant" USING ("job_id" IN (SELECT "id" FROM "jobs"));

-- Everybody writes what they did into the log; a key for some sources reads nothing of it. What belongs to no tenant is the
-- person's own, such as a new password.
CREATE POLICY "wall_read" ON "audit_events" FOR SELECT TO "xvault_tenant"
  USING ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[]) OR ("tenant_id" IS NULL AND "actor_id" = (SELECT "wall_user"())));
CREATE POLICY "wall_write" ON "audit_events" FOR INSERT TO "xvault_tenant"
  WITH CHECK ("tenant_id" = ANY ((SELECT "wall_tenants"())::text[]) OR ("tenant_id" IS NULL AND "actor_id" = (SELECT "wall_user"())));

-- Which transaction last changed a row, as live feeds need to know it: a lease renewed or a heartbeat heard is no news.
CREATE FUNCTION "note_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW."changed_in" := pg_current_xact_id()::text::bigint;
  RETURN NEW;
END $$;

CREATE TRIGGER "note_made" BEFORE INSERT ON "jobs" FOR EACH ROW EXECUTE FUNCTION "note_change"();
CREATE TRIGGER "note_change" BEFORE UPDATE ON "jobs" FOR EACH ROW
  WHEN (NEW."event_seq" <> OLD."event_seq" OR NEW."status" <> OLD."status") EXECUTE FUNCTION "note_change"();
CREATE TRIGGER "note_change" BEFORE INSERT OR UPDATE ON "snapshots" FOR EACH ROW EXECUTE FUNCTION "note_change"();
CREATE TRIGGER "note_made" BEFORE INSERT ON "workers" FOR EACH ROW EXECUTE FUNCTION "note_change"();
CREATE TRIGGER "note_change" BEFORE UPDATE ON "workers" FOR EACH ROW
  WHEN (NEW."status" <> OLD."status" OR NEW."drained_at" IS DISTINCT FROM OLD."drained_at"
    OR NEW."retired_at" IS DISTINCT FROM OLD."retired_at" OR NEW."name" <> OLD."name") EXECUTE FUNCTION "note_change"();
