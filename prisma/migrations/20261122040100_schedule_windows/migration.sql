-- CreateEnum
CREATE TYPE "missed_runs" AS ENUM ('CATCH_UP', 'SKIP');

-- CreateEnum
CREATE TYPE "skip_reason" AS ENUM ('BACKUP_UNDER_WAY', 'MISSED');

-- AlterTable
ALTER TABLE "schedules" ADD COLUMN     "jitter_minutes" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "last_skip_reason" "skip_reason",
ADD COLUMN     "last_skipped_at" TIMESTAMPTZ(3),
ADD COLUMN     "missed_runs" "missed_runs" NOT NULL DEFAULT 'CATCH_UP',
ADD COLUMN     "skipped_slots" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "window_from" TEXT,
ADD COLUMN     "window_to" TEXT;

-- AlterTable
ALTER TABLE "jobs" ADD COLUMN     "window_ends_at" TIMESTAMPTZ(3);

ALTER TABLE "schedules"
  ADD CONSTRAINT "schedules_jitter" CHECK ("jitter_minutes" BETWEEN 0 AND 1440),
  ADD CONSTRAINT "schedules_window" CHECK (num_nonnulls("window_from", "window_to") <> 1 AND "window_from" <> "window_to");

-- The few jobs that wait for the window of their schedule.
CREATE INDEX "jobs_window_ends_idx" ON "jobs" ("window_ends_at") WHERE "status" = 'QUEUED' AND "window_ends_at" IS NOT NULL;

SELECT "wall_reveal"('schedules'), "wall_reveal"('jobs');
