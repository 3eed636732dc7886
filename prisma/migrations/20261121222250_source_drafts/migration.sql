-- AlterTable
ALTER TABLE "sources" ADD COLUMN     "jump_host_key" TEXT;

-- AlterTable
ALTER TABLE "jobs" ADD COLUMN     "source_draft" JSONB;
