-- AlterTable
ALTER TABLE "tenants" ADD COLUMN     "suspended_at" TIMESTAMPTZ(3),
ADD COLUMN     "suspended_for" TEXT;

UPDATE "tenants" SET "suspended_at" = now(), "suspended_for" = '' WHERE "status" = 'SUSPENDED';

SELECT "wall_reveal"('tenants');

-- The few tenants whose end is coming.
CREATE INDEX "tenants_deletion_due_idx" ON "tenants" ("deletion_due_at") WHERE "status" = 'DELETING';
