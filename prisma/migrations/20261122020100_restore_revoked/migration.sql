-- AlterEnum
ALTER TYPE "restore_status" ADD VALUE 'REVOKED';
