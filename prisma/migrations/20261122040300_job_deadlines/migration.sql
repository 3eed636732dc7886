-- AlterTable
ALTER TABLE "jobs" ADD COLUMN     "deadline_at" TIMESTAMPTZ(3),
ADD COLUMN     "workers_lost" INTEGER NOT NULL DEFAULT 0;

ALTER TABLE "jobs" ADD CONSTRAINT "jobs_workers_lost" CHECK ("workers_lost" >= 0);

SELECT "wall_reveal"('jobs');
