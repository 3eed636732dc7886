-- AlterTable
ALTER TABLE "sources" ADD COLUMN     "max_bytes_per_second" BIGINT;

-- AlterTable
ALTER TABLE "workers" ADD COLUMN     "free_bytes" BIGINT,
ADD COLUMN     "inventoried_at" TIMESTAMPTZ(3),
ADD COLUMN     "inventory" JSONB,
ADD COLUMN     "inventory_requested_at" TIMESTAMPTZ(3),
ADD COLUMN     "total_bytes" BIGINT;

-- Never slower than a source may be read before it counts as stalled.
ALTER TABLE "sources" ADD CONSTRAINT "sources_max_bytes_per_second" CHECK ("max_bytes_per_second" >= 65536);

SELECT "wall_reveal"('sources');
