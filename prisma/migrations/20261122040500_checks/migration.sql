-- CreateEnum
CREATE TYPE "verify_depth" AS ENUM ('BYTES', 'CONTENT');

-- AlterTable
ALTER TABLE "jobs" ADD COLUMN     "verify_depth" "verify_depth";

-- AlterTable
ALTER TABLE "snapshots" ADD COLUMN     "damage" TEXT,
ADD COLUMN     "damage_depth" "verify_depth",
ADD COLUMN     "damaged_at" TIMESTAMPTZ(3),
ADD COLUMN     "opened_at" TIMESTAMPTZ(3),
ADD COLUMN     "verify_depth" "verify_depth";

SELECT "wall_reveal"('jobs'), "wall_reveal"('snapshots');

-- Of a snapshot at most one check of each depth is under way: asked for twice at once, the second is refused here.
CREATE UNIQUE INDEX "jobs_check_under_way_key" ON "jobs" ("target_snapshot_id", "verify_depth")
  WHERE "type" = 'VERIFY' AND "status" IN ('QUEUED', 'RUNNING', 'FINALIZING');

-- The rounds of the checks: which snapshots of a store were not looked at for the longest, and of which sources none was opened lately.
CREATE INDEX "snapshots_check_idx" ON "snapshots" ("worker_id", COALESCE("verified_at", "created_at")) WHERE "status" = 'COMPLETED';
CREATE INDEX "snapshots_opened_idx" ON "snapshots" ("opened_at") WHERE "opened_at" IS NOT NULL;
CREATE INDEX "jobs_check_idx" ON "jobs" ("created_at") WHERE "type" = 'VERIFY';
