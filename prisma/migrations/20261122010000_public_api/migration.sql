-- DropIndex
DROP INDEX "jobs_tenant_id_source_id_created_at_idx";

-- DropIndex
DROP INDEX "snapshots_tenant_id_source_id_created_at_idx";

-- AlterTable
ALTER TABLE "tenants" ADD COLUMN     "deletion_due_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "api_keys" ADD COLUMN     "created_by" TEXT,
ADD COLUMN     "source_ids" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- AlterTable
ALTER TABLE "invitations" ADD COLUMN     "invited_by" TEXT,
ADD COLUMN     "revoked_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "sources" ADD COLUMN     "deleted_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "jobs" ADD COLUMN     "changed_in" BIGINT NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "snapshots" ADD COLUMN     "changed_in" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "deletion_due_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "workers" ADD COLUMN     "changed_in" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "drained_at" TIMESTAMPTZ(3),
ADD COLUMN     "retired_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "password_resets" (
    "id" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "token_hash" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "password_resets_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "worker_enrolments" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "role" "worker_role" NOT NULL DEFAULT 'BACKUP',
    "token_hash" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),
    "worker_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "worker_enrolments_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "password_resets_token_hash_key" ON "password_resets"("token_hash");

-- CreateIndex
CREATE INDEX "password_resets_user_id_idx" ON "password_resets"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "worker_enrolments_token_hash_key" ON "worker_enrolments"("token_hash");

-- CreateIndex
CREATE INDEX "worker_enrolments_created_at_id_idx" ON "worker_enrolments"("created_at", "id");

-- CreateIndex
CREATE INDEX "sources_tenant_id_name_id_idx" ON "sources"("tenant_id", "name", "id");

-- CreateIndex
CREATE INDEX "jobs_tenant_id_source_id_id_idx" ON "jobs"("tenant_id", "source_id", "id");

-- CreateIndex
CREATE INDEX "jobs_tenant_id_status_id_idx" ON "jobs"("tenant_id", "status", "id");

-- CreateIndex
CREATE INDEX "jobs_tenant_id_type_id_idx" ON "jobs"("tenant_id", "type", "id");

-- CreateIndex
CREATE INDEX "jobs_tenant_id_changed_in_idx" ON "jobs"("tenant_id", "changed_in");

-- CreateIndex
CREATE INDEX "snapshots_tenant_id_source_id_id_idx" ON "snapshots"("tenant_id", "source_id", "id");

-- CreateIndex
CREATE INDEX "snapshots_tenant_id_status_id_idx" ON "snapshots"("tenant_id", "status", "id");

-- CreateIndex
CREATE INDEX "snapshots_tenant_id_stored_bytes_id_idx" ON "snapshots"("tenant_id", "stored_bytes", "id");

-- CreateIndex
CREATE INDEX "snapshots_tenant_id_changed_in_idx" ON "snapshots"("tenant_id", "changed_in");

-- CreateIndex
CREATE INDEX "workers_changed_in_idx" ON "workers"("changed_in");

-- CreateIndex
CREATE INDEX "audit_events_tenant_id_id_idx" ON "audit_events"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "audit_events_tenant_id_verb_id_idx" ON "audit_events"("tenant_id", "verb", "id");

-- CreateIndex
CREATE INDEX "audit_events_tenant_id_actor_id_id_idx" ON "audit_events"("tenant_id", "actor_id", "id");

-- CreateIndex
CREATE INDEX "audit_events_tenant_id_object_id_id_idx" ON "audit_events"("tenant_id", "object_id", "id");

-- AddForeignKey
ALTER TABLE "password_resets" ADD CONSTRAINT "password_resets_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;
